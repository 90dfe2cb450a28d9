"""Versions of the questionnaire, one folder each: what is asked, and the indicators made of the answers.

A version is three YAML files: ``commune.yaml``, ``epci.yaml`` (questions, choices, edit rules) and
``indicators.yaml``; ``questionnaire`` reads them. Everything about a question comes from there: the reader of
returns, the edit rules, the labels of what is published.
"""
