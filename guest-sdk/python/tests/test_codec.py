"""Encoders and decoders against the examples of RFC 8949, appendix A, and against hostile bytes."""

import enum
import math
import unittest
from dataclasses import dataclass, field
from typing import Annotated, Any

from weir_guest import F32, I8, I64, U8, U32, U64, Cases, Raw
from weir_guest.cbor import CborError, float_bytes, read_float
from weir_guest.codec import codec_of, raw_codec


@dataclass
class Totals:
    flights: U64
    total_delay: I64
    seen: str | None


class Order(enum.Enum):
    PENDING = "pending"
    SHIPPED = 2


@dataclass
class Empty:
    pass


@dataclass
class Sent:
    at: U32
    parts: dict[str, list[tuple[int, float]]]
    total_delay: I64 = field(default=0, kw_only=True, metadata={"name": "total-delay"})


Way = Annotated[Empty | Sent, Cases("Way", {Empty: "none"})]


class Codecs(unittest.TestCase):
    def check(self, hint: Any, value: Any, expect: str) -> None:
        codec = codec_of(hint)
        self.assertEqual(codec.dump(value).hex(), expect)
        self.assertEqual(codec.decode(bytes.fromhex(expect)), value)
        # Where it stands among others.
        data = b"\xff" + bytes.fromhex(expect) + b"\x00"
        self.assertEqual(codec.load(data, 1, len(data) - 1), value)

    def refused(self, hint: Any, bad: str, expect: str) -> None:
        with self.assertRaisesRegex((CborError, UnicodeDecodeError), expect):
            codec_of(hint).decode(bytes.fromhex(bad))

    def test_integers_are_as_in_the_rfc(self) -> None:
        cases = [
            (0, "00"),
            (1, "01"),
            (10, "0a"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (255, "18ff"),
            (256, "190100"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (2**64 - 1, "1bffffffffffffffff"),
        ]
        for value, expect in cases:
            self.check(U64, value, expect)
        for value, expect in [
            (-1, "20"),
            (-10, "29"),
            (-24, "37"),
            (-25, "3818"),
            (-100, "3863"),
            (-1000, "3903e7"),
            (-(2**63), "3b7fffffffffffffff"),
        ]:
            self.check(int, value, expect)

    def test_integers_stay_within_their_width(self) -> None:
        for hint, low, high in [
            (U8, 0, 255),
            (I8, -128, 127),
            (U32, 0, 2**32 - 1),
            (U64, 0, 2**64 - 1),
            (I64, -(2**63), 2**63 - 1),
        ]:
            codec = codec_of(hint)
            for value in (low, high):
                self.assertEqual(codec.decode(codec.dump(value)), value)
            for value in (low - 1, high + 1):
                with self.assertRaisesRegex(CborError, "is not within"):
                    codec.dump(value)
        self.refused(U8, "190100", "256 is not within 0 and 255")
        self.refused(U64, "20", "-1 is not within")
        self.refused(int, "1bffffffffffffffff", "is not within")

    def test_what_is_no_integer_is_refused(self) -> None:
        for bad in (1.0, "1", None):
            with self.assertRaises((CborError, TypeError)):
                codec_of(U64).dump(bad)

    def test_floats_are_as_in_the_rfc(self) -> None:
        cases = [
            (0.0, "f90000"),
            (-0.0, "f98000"),
            (1.0, "f93c00"),
            (1.1, "fb3ff199999999999a"),
            (1.5, "f93e00"),
            (65504.0, "f97bff"),
            (100_000.0, "fa47c35000"),
            (3.4028234663852886e38, "fa7f7fffff"),
            (1.0e300, "fb7e37e43c8800759c"),
            (5.960464477539063e-8, "f90001"),
            (0.00006103515625, "f90400"),
            (-4.0, "f9c400"),
            (-4.1, "fbc010666666666666"),
            (math.inf, "f97c00"),
            (-math.inf, "f9fc00"),
        ]
        for value, expect in cases:
            self.check(float, value, expect)
        self.assertEqual(codec_of(float).dump(math.nan).hex(), "f97e00")
        self.assertTrue(math.isnan(codec_of(float).decode(bytes.fromhex("f97e00"))))
        self.assertEqual(codec_of(F32).dump(1.1).hex(), "fa3f8ccccd")
        self.assertEqual(math.copysign(1, codec_of(float).decode(bytes.fromhex("f98000"))), -1)

    def test_every_half_is_its_own_shortest_encoding(self) -> None:
        for bits in range(0, 1 << 16, 7):
            encoded = b"\xf9" + bits.to_bytes(2, "big")
            if bits & 0x7C00 == 0x7C00 and bits & 0x3FF:
                continue
            value, behind = read_float(encoded, 0)
            self.assertEqual((float_bytes(value), behind), (encoded, 3))
        self.assertEqual(float_bytes(2.0**-25)[0], 0xFA)

    def test_texts_arrays_and_simple_values_are_as_in_the_rfc(self) -> None:
        self.check(bool, False, "f4")
        self.check(bool, True, "f5")
        self.check(None, None, "f6")
        self.check(U8 | None, None, "f6")
        self.check(U8 | None, 7, "07")
        self.check(str, "", "60")
        self.check(str, "IETF", "6449455446")
        self.check(str, "\u00fc", "62c3bc")
        self.check(str, "x" * 24, "7818" + "78" * 24)
        self.check(bytes, b"\1\2", "420102")
        self.check(list[U8], [], "80")
        self.check(list[U8], [1, 2, 3], "83010203")
        self.check(tuple[U8, tuple[U8, U8], list[U8]], (1, (2, 3), [4, 5]), "8301820203820405")
        self.check(list[U8], list(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819")
        self.check(dict[str, str], {"a": "A", "b": "B"}, "a26161614161626142")

    def test_map_keys_stand_in_the_bytewise_order_of_their_encodings(self) -> None:
        codec = codec_of(dict[int, int])
        self.assertEqual(codec.dump({-1: 1, 100: 3, 10: 2}).hex(), "a30a021864032001")
        self.refused(dict[int, int], "a2200118640a", "not in order")
        self.refused(dict[int, int], "a201010102", "not in order")

    def test_dataclasses_are_maps_from_their_fields_names(self) -> None:
        self.check(
            Totals,
            Totals(2**64 - 1, -7, None),
            "a3647365656ef667666c69676874731bffffffffffffffff6b746f74616c5f64656c617926",
        )
        self.assertEqual(codec_of(Totals).schema, "Totals{flights:u64,total_delay:i64,seen:option<string>}")
        self.check(Empty, Empty(), "a0")
        self.refused(Totals, "a1647365656ef6", "is not where it belongs")
        self.refused(Totals, "a0", "is not where it belongs")
        with self.assertRaisesRegex(CborError, "is no Totals"):
            codec_of(Totals).dump(Empty())

    def test_enums_are_their_names_and_choices_maps_of_one_entry(self) -> None:
        self.check(list[Order], [Order.PENDING, Order.SHIPPED], "826770656e64696e676753484950504544")
        self.assertEqual(codec_of(Order).schema, "Order[pending,SHIPPED]")
        self.check(Way, Empty(), "646e6f6e65")
        self.check(
            Way,
            Sent(3, {"a": [(1, 1.5)]}, total_delay=-1),
            "a16453656e74a3626174036570617274" + "73a16161818201f93e00" + "6b746f74616c2d64656c617920",
        )
        self.assertEqual(
            codec_of(Way).schema, "Way[none,Sent(Sent{at:u32,parts:map<string,list<tuple<i64,f64>>>,total-delay:i64})]"
        )
        self.refused(Order, "6161", "no case `a`")
        self.refused(Way, "6161", "no case of Way")

    def test_only_the_deterministic_form_is_read(self) -> None:
        self.refused(U64, "1801", "shortest form")
        self.refused(U64, "1900ff", "shortest form")
        self.refused(str, "780161", "shortest form")
        self.refused(float, "fa3fc00000", "shortest form")
        self.refused(float, "f97e01", "shortest form")
        self.refused(list[U8], "9f01ff", "indefinite")
        self.refused(str, "7f6161ff", "indefinite")
        self.refused(U64, "1c", "begins no item")
        self.refused(U64, "c101", "a tag where an integer")
        self.refused(str, "61ff", "utf-8")

    def test_hostile_bytes_end_in_an_error(self) -> None:
        for hint in (U64, str, bytes, list[U8], Totals, Way, dict[str, str], tuple[U8, U8], bool, float, Order):
            self.refused(hint, "", "ends early|no .* where one was expected|where it belongs|no case|tuple")
        self.refused(str, "7bffffffffffffffff61", "ends early")
        self.refused(list[U8], "9bffffffffffffffff01", "ends early")
        self.refused(bytes, "5b7fffffffffffffff", "ends early")
        self.refused(U64, "1b00", "ends early")
        self.refused(U64, "0101", "1 bytes follow")
        good = codec_of(Way).dump(Sent(3, {"a": [(1, 1.5)], "b": []}))
        for length in range(len(good)):
            with self.assertRaises((CborError, UnicodeDecodeError)):
                codec_of(Way).decode(good[:length])

    def test_what_has_no_description_is_refused_by_name(self) -> None:
        @dataclass
        class Lost:
            made: int = field(init=False, default=1)

        for hint, expect in [
            (int | str, "union"),
            (str | None | int, "union"),
            (list, "says nothing of what is in it"),
            (set[int], "no order"),
            (tuple[int, ...], "no fixed number"),
            (object, "no type that can be kept"),
            (Lost, "would be lost"),
            (type, "no type"),
        ]:
            with self.assertRaisesRegex(TypeError, expect):
                codec_of(hint)

    def test_raw_is_bytes_of_the_authors_own(self) -> None:
        codec = codec_of(Raw)
        self.assertEqual((codec.schema, codec.dump(b"\0\xff"), codec.decode(b"")), ("raw", b"\0\xff", b""))

        class Number(int):
            def __bytes__(self) -> bytes:
                return self.to_bytes(8, "little")

            @classmethod
            def from_bytes(cls, data: bytes) -> "Number":  # type: ignore[override]
                return cls(int.from_bytes(data, "little"))

        own = raw_codec(Number)
        self.assertEqual((own.dump(Number(7)), own.decode(own.dump(Number(2**64 - 1)))), (b"\7" + bytes(7), 2**64 - 1))


if __name__ == "__main__":
    unittest.main()
