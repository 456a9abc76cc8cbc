"""SGF against sgfmill, and files as they are found in the world."""

from __future__ import annotations

import contextlib
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sgfmill import sgf as oracle

from shinso.data.go_files import read_games
from shinso.faults import DataFault, ManyDataFaults, UsageFault
from shinso.games.go import BLACK, WHITE
from shinso.games.record import Record, clean_komi, read_record, record_of, write_record
from shinso.games.sgf import Node, decode, parse, write
from shinso.games.vertices import action

SMALL = "(;GM[1]FF[4]SZ[5]KM[6.5]RE[B+R];B[cc]C[good];W[dd](;B[bb];W[])(;B[dc]C[other]))"


def test_tree_matches_sgfmill():
    root = parse(SMALL)[0]
    other = oracle.Sgf_game.from_string(SMALL)
    # sgfmill adds the encoding that it decoded with to the root.
    assert [set(node.properties) for node in root.main_line()] == [
        {*map(str, node.properties())} - {"CA"} for node in other.get_main_sequence()
    ]
    assert len(list(root.nodes())) == 6
    record = record_of(root)
    moves = [node.get_move() for node in other.get_main_sequence()][1:]
    for (color, number), (name, point) in zip(record.moves, moves, strict=True):
        assert "?bw"[color] == name
        assert number == (25 if point is None else (4 - point[0]) * 5 + point[1])
    assert (record.side, record.komi, record.winner) == (5, 6.5, BLACK)
    assert record.comments == ("good", "", "", "")


values = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)
properties = st.dictionaries(
    st.text("ABCDEFGH", min_size=1, max_size=2),
    st.lists(values, min_size=1, max_size=3),
    max_size=3,
)
trees = st.recursive(
    st.builds(Node, properties),
    lambda inner: st.builds(Node, properties, st.lists(inner, max_size=3)),
    max_leaves=12,
)


@given(trees)
def test_what_is_written_reads_back_for_any_tree(tree):
    assert parse(write(tree)) == [tree]


@given(trees)
def test_sgfmill_reads_what_is_written_for_any_tree(tree):
    if not all(node.properties for node in tree.nodes()):
        return  # sgfmill refuses a game whose root has no property
    from sgfmill.sgf_grammar import main_sequence_iter, parse_sgf_game

    coarse = parse_sgf_game(write(tree).encode())
    found = list(main_sequence_iter(coarse))
    assert [list(one) for one in found] == [list(node.properties) for node in tree.main_line()]


def test_record_reads_back_what_it_wrote():
    record = Record(
        side=9, komi=0.5, handicap=2, black=(20, 60), turn=WHITE, result="W+3.5",
        moves=((WHITE, 40), (BLACK, 81), (WHITE, 0)), comments=("a]b\\", "", ""), name="x",
        details={"PB": "A", "GM": "1", "FF": "4", "CA": "UTF-8"},
    )  # fmt: skip
    assert record_of(parse(write_record(record))[0], "x") == record


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "SGF-EMPTY", "x:1:1"),
        ("no game here", "SGF-EMPTY", "x:1:1"),
        ("(;SZ[9]\n;B[aa", "SGF-SYNTAX", "x:2:3"),
        ("(;SZ[9];B[aa]", "SGF-SYNTAX", "x:1:14"),
        ("(;SZ[9];[aa])", "SGF-SYNTAX", "x:1:12"),
        ("(B[aa];)", "SGF-SYNTAX", "x:1:2"),
        ("(;SZ[9];B[aa]&)", "SGF-SYNTAX", "x:1:14"),
        ("(;SZ[25];B[aa])", "SGF-SIZE", "x SZ"),
        ("(;SZ[nine])", "SGF-SIZE", "x SZ"),
        ("(;GM[6]SZ[8])", "SGF-GAME", "x GM"),
        ("(;SZ[9];B[zz])", "SGF-POINT", "x move 1"),
        ("(;SZ[9];B[a])", "SGF-POINT", "x move 1"),
        ("(;SZ[9];B[aa];AB[bb])", "SGF-SETUP", "x move 2"),
    ],
)
def test_damaged_file_is_named(text, code, place):
    with pytest.raises(DataFault) as fault:
        record_of(parse(text, "x")[0], "x")
    assert (fault.value.code, fault.value.place) == (code, place)
    assert fault.value.next_step


@pytest.mark.parametrize("text", ["(;SZ[9];B)", "(;SZ[9];B;W[aa])", "(;SZ AB[aa])"])
def test_property_without_a_value_is_named(text):
    with pytest.raises(DataFault, match="SGF-SYNTAX") as fault:
        parse(text, "x")
    assert "a property without a value" in fault.value.found


def test_parentheses_around_nothing_are_no_game():
    with pytest.raises(DataFault, match="SGF-EMPTY"):
        parse("()) ;B[aa]", "x")


@given(st.binary(max_size=80), st.integers(0, len(SMALL)))
def test_any_damage_is_a_fault_and_no_crash(junk, at):
    text = decode(SMALL[:at].encode() + junk + SMALL[at:].encode())
    with contextlib.suppress(DataFault, UsageFault):
        list(record_of(parse(text, "x")[0], "x").positions())


def test_illegal_move_is_named():
    record = record_of(parse("(;SZ[5];B[aa];W[bb];B[aa])", "x")[0], "x")
    with pytest.raises(DataFault, match="SGF-MOVE: x move 3"):
        list(record.positions())


@pytest.mark.parametrize(
    ("text", "komi"),
    [("6.5", 6.5), ("650", 6.5), ("750", 7.5), ("375", 7.5), ("3.75", 7.5), ("0", None),
     ("", None), ("x", None), ("-5.5", -5.5), ("nan", None), ("6.3", None), ("1e9", None)],
)  # fmt: skip
def test_komi_is_what_can_be_meant(text, komi):
    assert clean_komi(text, 19) == komi


@pytest.mark.parametrize(
    ("text", "komi"), [("3.25", 6.5), ("275", 5.5), ("6,5", 6.5), ("-3.75", -7.5), ("0", 0.0)]
)
def test_komi_as_it_is_written_elsewhere(text, komi):
    assert clean_komi(text, 19, zero=True) == komi


@pytest.mark.parametrize(
    ("text", "komi"),
    [
        ("(;SZ[9]KM[0])", 7.0),
        ("(;SZ[9]KM[0]AP[shinso:0.1])", 0.0),
        ("(;SZ[9]KM[0]HA[2]AB[cc][gg])", 0.0),
        ("(;SZ[9]KM[0.5]HA[2]AB[cc][gg])", 0.5),
        ("(;SZ[9]HA[2]AB[cc][gg])", 0.5),
        ("(;SZ[9]KM[650]HA[2]AB[cc][gg])", 6.5),
    ],
)
def test_komi_that_a_game_is_counted_with(text, komi):
    """7 points for a missing komi are right in an even game, and decide a handicap game wrongly."""
    assert record_of(parse(text)[0]).start().rules.komi == komi


def test_komi_of_nought_reads_back():
    record = Record(side=9, komi=0.0, details={"AP": "shinso"})
    assert record_of(parse(write_record(record))[0]).komi == 0.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(;SZ[9]AB[aa]AW[aa])", "A9"),
        ("(;SZ[9]AB[aa]AW[ab][ba])", "A9"),
        ("(;SZ[9];B[cc];AE[cc])", "AE"),
    ],
)
def test_stones_that_cannot_stand_are_named_with_their_file(text, found):
    with pytest.raises(DataFault, match="SGF-SETUP: x ") as fault:
        record_of(parse(text, "x")[0], "x")
    assert fault.value.found == found


def test_setup_before_the_first_move():
    def black(text: str) -> tuple[int, ...]:
        return record_of(parse(text)[0]).black

    assert black("(;SZ[9]AB[aa][aa][bb])") == (0, 10)
    assert black("(;SZ[9]AB[aa][bb];AE[aa];W[cc])") == (10,)
    assert sorted(black("(;SZ[9]AB[bb:aa])")) == [0, 1, 9, 10]
    assert sorted(black("(;SZ[9]AB[ab:ba])")) == [0, 1, 9, 10]


@pytest.mark.parametrize("key", ["SZ", "HA"])
def test_a_number_without_end_is_no_crash(key):
    with contextlib.suppress(DataFault):
        assert record_of(parse(f"(;{key}[{'9' * 5000}])")[0]).handicap == 0


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        ("能登十段 ゾ表 予", "cp932"),
        ("聂卫平 許功蓋", "gb18030"),
        ("許功蓋 張栩", "big5"),
        ("André Ré", "latin-1"),
    ],
)
@pytest.mark.parametrize(
    "text", ["(;SZ[9]PB[{}]C[{}];B[aa]C[{}];W[bb])", "(;SZ[9]C[x{}];B[aa];W[bb])"]
)
def test_no_move_is_lost_in_an_encoding_that_is_not_named(names, encoding, text, tmp_path):
    for name in [*names.split(), names]:
        path = tmp_path / "x.sgf"
        path.write_bytes(text.replace("{}", name).encode(encoding))
        assert read_record(path).moves == ((BLACK, 0), (WHITE, 10))


def test_names_in_japanese_and_with_a_mark_of_utf_16(tmp_path):
    path = tmp_path / "x.sgf"
    for encoding in ("cp932", "utf-16"):
        path.write_bytes("(;SZ[9]PB[能登十段];B[aa])".encode(encoding))
        record = read_record(path)
        assert (record.details["PB"], record.moves) == ("能登十段", ((BLACK, 0),))


@pytest.mark.parametrize("name", ["idna", "undefined", "utf-16", "cp037", "punycode", "hex", "x"])
def test_an_encoding_that_cannot_be_meant_is_none(name):
    assert record_of(parse(decode(f"(;CA[{name}]SZ[9];B[aa])".encode()))[0]).moves


def test_handicap_and_rectangles_and_passes():
    record = record_of(parse("(;SZ[9]HA[4]AB[aa:bb]PL[W];W[tt];B[])")[0])
    assert record.black == (0, 1, 9, 10)
    assert record.moves == ((WHITE, 81), (BLACK, 81))
    assert record.start().turn == WHITE
    assert record.start().stones.sum() == 4
    assert action("A9", 9) == 0


def test_old_names_and_encodings():
    assert record_of(parse("junk (;GaMe[1]SiZe[5]Black[aa];White[bb])")[0]).moves == (
        (BLACK, 0),
        (WHITE, 6),
    )
    text = "(;CA[Shift_JIS]SZ[5]PB[棋士];B[aa])"
    assert "棋士" in decode(text.encode("shift_jis"))
    assert parse(decode(b"(;CA[nonsense]SZ[5]C[\xff];B[aa])"))


def folder_of(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        path = tmp_path / "games" / f"{name.replace('__', '/')}.sgf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "games"


def test_folder_and_archive_read_the_same(tmp_path):
    folder = folder_of(tmp_path, train__a=SMALL, valid__b="(;SZ[5]AB[aa];W[bb];B[cc])", c=SMALL)
    found = read_games([folder])
    assert len(found) == 3
    assert (found.begins[1:] - found.firsts).sum() == 4 + 4 + 2
    assert found.folders == ("", "train", "valid")
    assert found.firsts[2] - found.begins[2] == 1
    with tarfile.open(tmp_path / "games.tar.xz", "w:xz") as archive:
        archive.add(folder, arcname=".")
    packed = read_games([tmp_path / "games.tar.xz"])
    assert packed.actions.tolist() == found.actions.tolist()


def test_every_damaged_file_is_named_or_left_out_aloud(tmp_path):
    folder = folder_of(
        tmp_path, a=SMALL, b="(;SZ[5];B[aa", c="(;SZ[5];B[aa];W[aa])", d="(;SZ[9];B[aa])"
    )
    with pytest.raises(ManyDataFaults) as faults:
        read_games([folder], side=5)
    assert [fault.code for fault in faults.value.faults] == ["SGF-SYNTAX", "SGF-MOVE"]
    found = read_games([folder], side=5, damaged="skip")
    assert len(found) == 1
    assert found.notes == ("1 games on other boards left out", "2 damaged files left out")
    with pytest.raises(DataFault, match="GO-SIDES"):
        read_games([folder], damaged="skip")


def test_nothing_to_read_is_a_fault(tmp_path):
    with pytest.raises(DataFault, match="GO-NO-GAMES"):
        read_games([tmp_path])
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    for wrong, code in (("x.tar.gz", "DATA-FORMAT"), ("missing.sgf", "DATA-UNREADABLE")):
        with pytest.raises(DataFault, match=code):
            read_games([tmp_path / wrong])


@pytest.mark.data
def test_real_games_of_nine_lines_all_load():
    root = os.environ.get("SHINSO_DATA")
    if not root:
        pytest.skip("SHINSO_DATA is not set: real games were not read")
    found = read_games([Path(root) / "go9" / "games_9x9.tar.xz"])
    assert len(found) == 603
    assert (found.begins[1:] - found.firsts).sum() == 31_131


def test_read_record_names_the_file(tmp_path):
    path = tmp_path / "one.sgf"
    path.write_text(SMALL)
    assert read_record(path).name == str(path)
