"""The Go board: the server answers by the rules and keeps nothing; a whole game by keys alone."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from shinso.recipes.uses.go_agent import Agent
from shinso.serve.settings import Limits
from shinso.serve.ui import make_ui
from tests.serve.browser import Page, browser, chromium
from tests.serve.parts import HOSTS, client_of

START = {"side": 5, "komi": 2.5}
THINK = 0.05


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("go")
    app = make_ui(root / "runs", root / "report", Limits(), hosts=HOSTS,
                  make_player=Agent(shipped=False, simulations=200).player)  # fmt: skip
    with client_of(app) as made:
        page = made.get("/go?lang=en").text
        made.headers["x-csrf-token"] = page.split('csrf-token" content="')[1].split('"')[0]
        yield made


def asked(client: TestClient, what: str, body: Any, status: int = 200) -> Any:
    found = client.post(f"/go/{what}", json=body)
    assert found.status_code == status, found.text
    return found.json()


def played(*actions: int) -> dict[str, Any]:
    return {**START, "moves": [[1 + number % 2, action] for number, action in enumerate(actions)]}


def test_the_board_is_what_the_rules_say(client: TestClient) -> None:
    found = asked(client, "state", played(1, 0, 5))  # B4 A5 A4: Black takes the corner
    assert found["stones"][:6] == [0, 1, 0, 0, 0, 1]
    assert found["captured"] == {"black": 0, "white": 1}
    assert found["turn"] == 2
    assert 0 not in found["legal"]  # White would have no liberty there
    assert 25 in found["legal"]
    assert asked(client, "state", played(25, 25))["over"]


def test_forbidden_moves_and_nonsense_are_answered_with_their_fault(client: TestClient) -> None:
    assert asked(client, "state", played(0, 0), 422)["fault"]["code"] == "GO-ILLEGAL"
    assert asked(client, "state", played(99), 422)["fault"]["code"] == "GO-ILLEGAL"
    assert asked(client, "state", played(-1), 422)["fault"]["code"] == "GO-ILLEGAL"
    for wrong in ({"side": 1}, {"komi": 1e9}, {"moves": [[3, 0]]}, {"stones": []}, []):
        assert asked(client, "state", wrong, 422)["fault"]["code"] == "QUESTION"
    setup = {**START, "black": [0, 0]}
    assert asked(client, "state", setup, 422)["fault"]["code"] == "GO-SETUP"
    assert asked(client, "new", {"side": 5, "handicap": 2}, 422)["fault"]["code"] == "GO-HANDICAP"
    bad = asked(client, "read", {"text": "(;SZ[9];B[zz])"}, 422)
    assert bad["fault"]["code"] == "SGF-POINT"
    assert asked(client, "read", {"text": "(;B["}, 422)["fault"]["code"] == "SGF-SYNTAX"


def test_without_the_pages_token_nothing_is_answered(client: TestClient) -> None:
    found = client.post("/go/state", json=START, headers={"x-csrf-token": "x"})
    assert found.status_code == 403


def test_shinso_moves_hints_and_counts(client: TestClient) -> None:
    question = {"game": played(12), "seconds": THINK}
    move = asked(client, "move", question)
    assert move["action"] in asked(client, "state", played(12))["legal"]
    assert not move["resigns"]
    assert 0 <= move["black_wins"] <= 1
    look = asked(client, "look", question)
    shares = [hint["share"] for hint in look["hints"]]
    assert shares == sorted(shares, reverse=True)
    assert look["hints"][0]["line"][0] == look["hints"][0]["name"]
    assert len(look["owners"]) == 25
    # A black wall and a white stone behind it: dead, and the board is Black's.
    walls = {**START, "black": [5, 6, 7, 8, 9, 15, 16, 17, 18, 19], "white": [2], "komi": 0}
    score = asked(client, "score", walls)
    assert score["dead"] == [2]
    assert score["result"] == "B+25"


def test_a_file_is_read_as_it_is_on_disk(client: TestClient) -> None:
    """Japanese without a name of its encoding: half of 能 is a backslash, half of ゾ a bracket."""
    content = "(;SZ[5]KM[0]HA[2]AB[aa][bb]PB[ゾ]PW[能];W[cc])".encode("cp932")
    found = asked(client, "read", {"content": base64.b64encode(content).decode()})
    assert (found["moves"], found["komi"], found["turn"]) == ([[2, 12]], 0.0, 2)
    assert asked(client, "read", {"content": "a"}, 422)["fault"]["code"] == "QUESTION"
    assert asked(client, "read", {}, 422)["fault"]["code"] == "SGF-EMPTY"


def test_a_komi_of_nought_comes_back(client: TestClient) -> None:
    text = asked(client, "write", {**START, "komi": 0})["text"]
    assert asked(client, "read", {"text": text})["komi"] == 0


def test_a_game_goes_out_as_sgf_and_comes_back(client: TestClient) -> None:
    game = played(12, 6, 25, 8)
    text = asked(client, "write", game)["text"]
    assert "SZ[5]" in text
    back = asked(client, "read", {"text": text})
    assert [back["side"], back["komi"], back["moves"]] == [5, 2.5, game["moves"]]
    handicap = asked(client, "new", {"side": 9, "komi": 0.5, "handicap": 3})
    assert len(handicap["black"]) == 3
    assert handicap["turn"] == 2
    back = asked(client, "read", {"text": asked(client, "write", handicap)["text"]})
    assert (sorted(back["black"]), back["turn"]) == (sorted(handicap["black"]), 2)


@contextmanager
def played_on(folder: Path) -> Iterator[tuple[str, Page]]:
    """The board's address and a browser, while a server is up."""
    words = [
        "-m", "shinso", "go", "play", "--port", "0", "--runs", str(folder), "--network", "none",
        "--simulations", "100", "--report", str(folder),
    ]  # fmt: skip
    server = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url.endswith("/go")
        with browser(folder) as page:
            yield url, page
    finally:
        server.terminate()
        assert server.wait(60) == 0


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="no chromium is installed")
def test_a_move_that_fails_loses_no_game_and_can_be_asked_again(tmp_path: Path) -> None:
    kept = "JSON.parse(localStorage.getItem('shinso-go')).game.moves.length"
    with played_on(tmp_path) as (url, page):
        page.goto(url + "?lang=en")
        page.until("board !== null && board.turn === 1")
        page.value("game.moves.push([1, 10], [2, 20], [1, 30]), seat = '1', keep()")
        page.call("Network.setBlockedURLs", urls=["*/go/move"])
        page.goto(url + "?lang=en")  # White is to move, and shinso cannot be asked
        page.until("!byId('go-again').hidden")
        assert page.value("game.moves.length") == page.value(kept) == 3
        assert page.value("byId('go-status').textContent").startswith("No move was made.")
        page.call("Network.setBlockedURLs", urls=["*/go/state"])
        page.goto(url + "?lang=en")  # nor can the rules
        page.until("!byId('go-again').hidden")
        assert page.value("game.moves.length") == page.value(kept) == 3
        page.call("Network.setBlockedURLs", urls=[])
        page.value("byId('go-again').click()")
        page.until("game.moves.length === 4 && board.turn === 1")
        assert page.value("byId('go-again').hidden")
        page.value("localStorage.setItem('shinso-go', '{\"game\": 1}')")
        page.goto(url + "?lang=en")  # what cannot be read makes way for a new game
        page.until("board !== null && game.moves.length === 0")


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="no chromium is installed")
def test_a_whole_game_by_keys_alone(tmp_path: Path) -> None:
    with played_on(tmp_path) as (url, page):
        page.goto(url + "?lang=ja")
        page.until("board !== null && board.turn === 1")
        page.value("byId('go-new').elements.side.value = '5'")
        page.value("byId('go-new').elements.seconds.value = '0.2'")
        page.value("byId('go-new').requestSubmit()")
        page.until("game.side === 5 && board.stones.length === 25")
        page.value("byId('board').focus()")
        page.press("ArrowUp")
        assert page.value("byId('go-status').textContent") == "C4: 空点"
        page.press("Enter")
        page.until("game.moves.length === 2 && board.turn === 1")
        assert page.value("game.moves[0][1]") == 7
        page.press("Enter")  # the point is taken
        assert "打てません" in page.value("byId('go-status').textContent")
        page.press("h")
        page.until("seen !== null && byId('go-list').children.length > 0")
        page.press("u")
        page.until("game.moves.length === 0 && board.turn === 1")
        for _ in range(60):
            page.press("p")
            page.until("game.result !== '' || board.turn === 1 && !thinking")
            if page.value("game.result"):
                break
        assert page.value("byId('go-status').textContent").startswith("終局")
        page.goto(url + "?lang=en")  # the page is opened anew: the game is still there
        page.until("board !== null")
        assert page.value("game.result")
        assert page.console == []
        outside = [one for one in page.asked if not one.startswith((url[:-3], "data:", "blob:"))]
        assert outside == []
        assert json.loads(page.value("JSON.stringify(game)"))["side"] == 5
