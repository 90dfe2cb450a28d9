"""Questionnaires and indicators: what is asked, and what is made of the answers, as YAML files.

``codebook`` reads them. Everything about a question comes from its codebook: the reader of returns, the edit
rules, the labels of what is published.
"""
