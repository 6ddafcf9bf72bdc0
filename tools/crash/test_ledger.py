"""The checker finds what it is there to find."""

from __future__ import annotations

import unittest

from ledger import Ledger, Receipt, check


def ledger(*receipts: Receipt) -> Ledger:
    filled = Ledger()
    for receipt in receipts:
        filled.add(receipt)
    return filled


class Checking(unittest.TestCase):
    def test_a_log_that_holds_what_was_acknowledged_is_right(self) -> None:
        log = [(0, "a/0"), (1, "a/1"), (2, "b/0")]
        self.assertEqual(check(ledger(Receipt(0, 0, "a", 0, 2), Receipt(0, 2, "b", 0, 1)), {0: log}), [])

    def test_records_that_were_never_acknowledged_may_be_there(self) -> None:
        self.assertEqual(check(ledger(Receipt(0, 0, "a", 0, 1)), {0: [(0, "a/0"), (1, "a/1")]}), [])

    def test_a_lost_record_is_found(self) -> None:
        self.assertEqual(len(check(ledger(Receipt(0, 0, "a", 0, 2)), {0: [(0, "a/0")]})), 2)

    def test_another_record_at_the_offset_is_found(self) -> None:
        self.assertTrue(check(ledger(Receipt(0, 0, "a", 0, 1)), {0: [(0, "b/0")]}))

    def test_an_offset_given_out_twice_is_found(self) -> None:
        twice = ledger(Receipt(0, 0, "a", 0, 1), Receipt(0, 0, "b", 0, 1))
        self.assertTrue(any("was acknowledged for a/0 and for b/0" in line for line in check(twice, {0: [(0, "a/0")]})))

    def test_a_record_stored_twice_is_found(self) -> None:
        self.assertTrue(check(ledger(), {0: [(0, "a/0"), (1, "a/0")]}))

    def test_a_hole_is_found(self) -> None:
        self.assertTrue(check(ledger(), {0: [(0, "a/0"), (2, "a/1")]}))


if __name__ == "__main__":
    unittest.main()
