"""Ownership of a wave: one owner at a time, a lapsed lease is taken over, a lost one stops its owner."""

import threading
import time
from dataclasses import replace

import pytest

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.storage.shared_store import claim as claims
from asco_dagster.storage.shared_store.claim import claim, key_of, lease_of, look
from asco_dagster.storage.shared_store.objects import NEW, ChangedError, Store

pytestmark = pytest.mark.slow


def frozen(owner: claims.Claim) -> None:
    """Let an owner renew no more, as one whose process was stopped."""
    owner._over.set()
    owner._thread.join()


def aged(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have the store's clock tell that everything is so much older."""
    from asco_dagster.storage.shared_store import objects

    age = objects._age
    monkeypatch.setattr(objects, "_age", lambda answer: age(answer) + seconds)


def test_a_second_claimant_is_refused_while_the_first_lives(store: Store) -> None:
    first = claim(store, "2014", "run-of-the-first", 5.0)
    with pytest.raises(AscoError, match=r"owned by another worker .run run-of-t, process"):
        claim(store, "2014", "run-of-the-second", 5.0)
    assert first.holds()
    first.release()


def test_what_was_given_back_is_owned_at_once_with_a_higher_fence(store: Store) -> None:
    first = claim(store, "2014", "a", 60.0)
    first.release()
    begun = time.monotonic()
    second = claim(store, "2014", "b", 60.0)
    assert (first.fence, second.fence) == (1, 2)
    assert time.monotonic() - begun < 3
    second.release()


def test_a_lapsed_lease_is_taken_over_and_its_owner_stops(store: Store, monkeypatch) -> None:
    dead = claim(store, "2014", "dead", 5.0)
    frozen(dead)
    aged(monkeypatch, 8.0)
    heir = claim(store, "2014", "heir", 5.0)
    assert heir.fence == dead.fence + 1
    assert lease_of(store.get(key_of("2014"))).run == "heir"
    monkeypatch.setattr(dead, "_renewed", time.monotonic() - 5)  # it slept that long
    with pytest.raises(AscoError, match="no longer owns wave 2014"):
        dead.require()
    dead.release()
    assert lease_of(store.get(key_of("2014"))).run == "heir"
    heir.release()


def test_a_claimant_waits_for_a_lease_that_nobody_renews(store: Store) -> None:
    dead = claim(store, "2014", "dead", 1.0)
    frozen(dead)
    begun = time.monotonic()
    heir = claim(store, "2014", "heir", 5.0)
    assert 1.0 < time.monotonic() - begun < 8
    heir.release()


def test_an_owner_whose_claim_was_replaced_notices_at_its_next_renewal(store: Store, eventually) -> None:
    owner = claim(store, "2014", "owner", 5.0)
    found = store.get(key_of("2014"))
    store.put(key_of("2014"), replace(lease_of(found), token="x").body(), replacing=found.etag)
    assert eventually(lambda: not owner.holds(), 10)
    with pytest.raises(AscoError, match="no longer owns"):
        owner.require()


def test_an_owner_that_cannot_reach_the_store_counts_itself_out_in_time(store: Store, monkeypatch) -> None:
    owner = claim(store, "2014", "owner", 5.0)

    def silent(*_: object, **__: object) -> str:
        raise AscoError("the store does not answer")

    monkeypatch.setattr(owner._store, "put", silent)
    time.sleep(5.0 * claims.TRUST + 1.2)
    assert not owner.holds()


def test_of_many_claimants_at_once_one_owns(store: Store) -> None:
    owners, refused = [], []

    def try_it(number: int) -> None:
        try:
            owners.append(claim(Store(store.address), "2014", f"run {number}", 5.0))
        except AscoError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(owners), len(refused)) == (1, 7), refused
    owners[0].release()


def test_whether_a_lease_is_over_is_known_from_outside(store: Store, monkeypatch) -> None:
    assert look(store, "2014") is None
    owner = claim(store, "2014", "run", 5.0)
    assert look(store, "2014")[1] is False
    frozen(owner)
    aged(monkeypatch, 8.0)
    lease, over = look(store, "2014")
    assert (lease.run, over) == ("run", True)


def test_a_store_that_ignores_conditions_is_refused(store: Store, monkeypatch) -> None:
    put = Store._put
    monkeypatch.setattr(Store, "_put", lambda self, key, body, **_: put(self, key, body))
    with pytest.raises(ConfigurationError, match="accepts writes whose condition fails"):
        claim(store, "2014", "run", 5.0)


def test_a_lost_answer_is_no_refusal(store: Store, monkeypatch) -> None:
    put, answers = Store._put, []

    def twice(self: Store, key: str, body: bytes, **condition: str) -> str:
        answers.append(put(self, key, body, **condition))  # the answer is lost, and the client tries again
        return put(self, key, body, **condition)

    monkeypatch.setattr(Store, "_put", twice)
    assert store.put("object", b"first", replacing=NEW) == answers[0]
    with pytest.raises(ChangedError):
        store.put("object", b"other", replacing=NEW)


def test_a_store_that_does_not_answer_is_a_sentence_without_keys(store: Store, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(AscoError, match=r"the store s3://\S+ \(ASCO_STORE\) cannot be read") as caught:
        Store(store.address).get("object")
    assert "test-secret-key" not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://store.example")
    with pytest.raises(ConfigurationError, match="would not be encrypted"):
        Store(store.address)


@pytest.mark.parametrize("address", ["bucket", "https://x/y", "s3://", "s3://key:secret@bucket/x"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="ASCO_STORE is not valid") as caught:
        Store(address)
    assert "secret" not in str(caught.value)
