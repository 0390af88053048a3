"""Frames on disk: read back exactly, or noticed."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_platform_client.spool_blocks import Damaged, Torn, frame, read_block

lines = st.lists(
    st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"])), min_size=1
)


class TestWhatIsFramedIsReadBack:
    """Any lines, exactly, one block after the other."""

    @given(st.lists(lines, max_size=4))
    def test_round_trip(self, blocks: list[list[str]]) -> None:
        file = io.BytesIO(b"".join(frame(block) for block in blocks))
        for block in blocks:
            found = read_block(file)
            assert found is not None
            assert found[1] == [line.encode() for line in block]
        assert read_block(file) is None


class TestAnythingElseIsNoticed:
    """A block cut short is torn, one that was changed is damaged; neither is ever read as data."""

    @given(lines, st.data())
    def test_cut_anywhere(self, block: list[str], data: st.DataObject) -> None:
        whole = frame(block)
        cut = data.draw(st.integers(1, len(whole) - 1))
        with pytest.raises(Torn):
            read_block(io.BytesIO(whole[:cut]))

    @given(lines, st.data())
    def test_one_byte_changed_anywhere(self, block: list[str], data: st.DataObject) -> None:
        whole = bytearray(frame(block))
        index = data.draw(st.integers(0, len(whole) - 1))
        whole[index] ^= data.draw(st.integers(1, 255))
        try:
            found = read_block(io.BytesIO(bytes(whole)))
        except (Torn, Damaged):
            return
        # Only the case of a hexadecimal digit may change without changing its meaning.
        assert found is not None
        assert found[1] == [line.encode() for line in block]

    def test_zeros_left_by_a_power_cut(self) -> None:
        with pytest.raises(Damaged):
            read_block(io.BytesIO(bytes(4096)))
