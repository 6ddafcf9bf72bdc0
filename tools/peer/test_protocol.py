"""The scripts' own idea of the protocol, against bytes that are known."""

from __future__ import annotations

import unittest

from protocol import decode_batches, encode_batch, error_name, schema_named
from protocol.batch import crc32c
from protocol.schema import Cursor, uvarint, varint


class Protocol(unittest.TestCase):
    def test_the_checksum_is_castagnoli(self) -> None:
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)

    def test_numbers_of_variable_length_survive(self) -> None:
        for value in (0, 1, -1, 63, -64, 64, 300, -300, 2**31 - 1, -(2**31)):
            self.assertEqual(Cursor(varint(value)).varint(), value)
        self.assertEqual(uvarint(300), b"\xac\x02")

    def test_a_batch_survives(self) -> None:
        batch = encode_batch([(b"k", None), (None, b"v")], headers=[("h", None)], attributes=1, base_offset=7)
        read = [(record.offset, record.key, record.value, record.headers) for record in decode_batches(batch)]
        self.assertEqual(read, [(7, b"k", None, (("h", None),)), (8, None, b"v", (("h", None),))])

    def test_a_flipped_bit_is_noticed(self) -> None:
        with self.assertRaises(ValueError):
            decode_batches(encode_batch([(b"k", b"v")], crc_flip=4))

    def test_a_classic_request_is_these_bytes(self) -> None:
        body = schema_named("MetadataRequest").encode({"topics": [{"name": "ab"}], "allowAutoTopicCreation": False}, 4)
        self.assertEqual(body.hex(), "000000010002616200")

    def test_a_flexible_request_is_these_bytes(self) -> None:
        body = schema_named("MetadataRequest").encode({"topics": [{"name": "ab"}], "allowAutoTopicCreation": False}, 9)
        self.assertEqual(body.hex(), "020361620000000000")

    def test_a_field_the_version_lacks_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            schema_named("MetadataRequest").encode({"allowAutoTopicCreation": False}, 3)

    def test_errors_have_their_names(self) -> None:
        self.assertEqual(
            [error_name(code) for code in (-1, 0, 1, 87, 100)],
            [
                "UNKNOWN_SERVER_ERROR",
                "NONE",
                "OFFSET_OUT_OF_RANGE",
                "INVALID_RECORD",
                "UNKNOWN_TOPIC_ID",
            ],
        )


if __name__ == "__main__":
    unittest.main()
