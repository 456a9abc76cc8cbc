"use strict";
// The Go board. The page holds the whole game and asks the server about it; ui.js comes first.
const words = byId("go").dataset;
const LETTERS = "ABCDEFGHJKLMNOPQRST";
const KEPT = "shinso-go";
const STARS = { 9: [2, 4, 6], 13: [3, 6, 9], 19: [3, 9, 15] };
const say = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
const percent = (share) => `${Math.round(100 * share)} %`;
const colorName = (color) => (color === 1 ? words.black : words.white);

let game = null; // as the server reads it
let board = null; // what the server said of it
let wins = []; // Black's chance after each move, null where nobody looked
let seat = "1";
let seconds = 1;
let cursor = 0;
let asked = 0; // answers to older questions are thrown away
let thinking = false;
let seen = null; // hints and owners of the position on the board
let counted = null;
const shown = { hints: false, owners: false };

const nameOf = (action) => action >= game.side ** 2 ? words.pass
  : `${LETTERS[action % game.side]}${game.side - Math.floor(action / game.side)}`;
const mine = () => seat === "both" || seat === String(board.turn);
const ended = () => !board || board.over || game.result !== "";
const status = (text) => { byId("go-status").textContent = text; };

async function ask(what, body) {
  let response;
  try {
    response = await post(`/go/${what}`, JSON.stringify(body));
  } catch (error) {
    status(words.lost);
    throw error;
  }
  const found = await response.json().catch(() => ({}));
  if (!response.ok) {
    const { fault } = found;
    status(fault ? `${fault.code}: ${fault.place} ${fault.found}` : words.lost);
    throw new Error(fault ? fault.code : String(response.status));
  }
  return found;
}

// What the game cannot go on without; where it fails, the page offers to ask again.
async function need(what, body) {
  const number = asked;
  const again = byId("go-again");
  again.hidden = true;
  try {
    return await ask(what, body);
  } catch (error) {
    if (number === asked) {
      status(say(words.failed, { reason: byId("go-status").textContent }));
      again.hidden = false;
    }
    throw error;
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ game, wins, seat, seconds }));
  } catch { /* a browser that keeps nothing still plays */ }
}

function keptGame() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    const { side, moves } = kept.game;
    return Number.isInteger(side) && Array.isArray(moves) && Array.isArray(kept.wins) ? kept : null;
  } catch {
    return null; // nothing was kept, or nothing that can be read
  }
}

// Drawing

function drawBoard() {
  if (!board) return;
  const { side } = game;
  const view = byId("board");
  const at = (place) => 8 + 8 * place;
  const xy = (action) => [at(action % side), at(Math.floor(action / side))];
  view.setAttribute("viewBox", `0 0 ${8 * side + 8} ${8 * side + 8}`);
  const parts = [];
  const end = at(side - 1);
  for (let i = 0; i < side; i += 1) {
    parts.push(svg("line", { class: "line", x1: at(0), x2: end, y1: at(i), y2: at(i) }));
    parts.push(svg("line", { class: "line", y1: at(0), y2: end, x1: at(i), x2: at(i) }));
    parts.push(svg("text", { x: at(i), y: 2.6 }, LETTERS[i]));
    parts.push(svg("text", { x: 2.6, y: at(i) }, String(side - i)));
  }
  for (const r of STARS[side] || []) {
    // Small boards have stars in the corners and in the middle only.
    for (const c of STARS[side]) if (side === 19 || (r === (side - 1) / 2) === (c === (side - 1) / 2)) parts.push(svg("circle", { class: "star", cx: at(c), cy: at(r), r: 0.7 }));
  }
  const dead = new Set(counted ? counted.dead : []);
  board.stones.forEach((color, action) => {
    if (!color) return;
    const [cx, cy] = xy(action);
    parts.push(svg("circle", { class: color === 1 ? "black" : "white", cx, cy, r: 3.8 }));
    if (dead.has(action)) {
      parts.push(svg("line", { class: "dead", x1: cx - 2, x2: cx + 2, y1: cy - 2, y2: cy + 2 }));
      parts.push(svg("line", { class: "dead", x1: cx - 2, x2: cx + 2, y1: cy + 2, y2: cy - 2 }));
    }
  });
  const owners = counted ? counted.owners : shown.owners && seen ? seen.owners : [];
  owners.forEach((owner, action) => {
    const [x, y] = xy(action);
    const size = 3.2 * Math.abs(owner);
    if (size < 0.5) return;
    const kind = owner > 0 ? "owner-black" : "owner-white";
    parts.push(svg("rect", { class: kind, x: x - size / 2, y: y - size / 2, width: size, height: size, opacity: 0.75 }));
  });
  const last = game.moves.length ? game.moves[game.moves.length - 1][1] : side * side;
  if (last < side * side) {
    const [cx, cy] = xy(last);
    parts.push(svg("circle", { class: "last", cx, cy, r: 1.9 }));
  }
  if (shown.hints && seen) {
    seen.hints.forEach((hint, rank) => {
      if (hint.action >= side * side) return;
      const [cx, cy] = xy(hint.action);
      parts.push(svg("circle", { class: rank ? "hint" : "hint best", cx, cy, r: 3.4, opacity: 0.55 + 0.4 * hint.share }));
      parts.push(svg("text", { class: "hint-text", x: cx, y: cy }, String(Math.round(100 * hint.wins))));
    });
  }
  const [x, y] = xy(cursor);
  parts.push(svg("rect", { class: "cursor", x: x - 3.9, y: y - 3.9, width: 7.8, height: 7.8 }));
  view.replaceChildren(...parts);
}

function drawCurve() {
  const chart = byId("go-curve");
  const known = wins.map((share, number) => [number, share]).filter(([, share]) => typeof share === "number");
  const most = Math.max(wins.length - 1, 20);
  const x = (number) => 5 + (390 * number) / most;
  const y = (share) => 115 - 110 * share;
  const parts = [svg("line", { class: "half", x1: 5, x2: 395, y1: 60, y2: 60 })];
  if (known.length) {
    const points = known.map(([number, share]) => `${x(number)},${y(share)}`).join(" ");
    const [number, share] = known[known.length - 1];
    parts.push(svg("polyline", { class: "wins", points }));
    parts.push(svg("circle", { class: "now", cx: x(number), cy: y(share), r: 4 }));
  }
  chart.replaceChildren(...parts);
}

function drawRest() {
  if (!board) return;
  const facts = [say(words.move, { number: game.moves.length }), say(words.captured, board.captured)];
  const share = wins[game.moves.length];
  if (typeof share === "number") facts.push(say(words.wins, { share: percent(share) }));
  byId("go-facts").textContent = facts.join(" · ");
  const hints = shown.hints && seen ? seen.hints : [];
  byId("go-list").replaceChildren(...hints.map((hint) => made("li", say(words.hint, {
    move: nameOf(hint.action), share: percent(hint.wins), visits: percent(hint.share),
    line: hint.line.slice(1, 7).join(" ") || "–",
  }))));
  for (const kind of ["hints", "owners"]) byId(`go-${kind}`).setAttribute("aria-pressed", String(shown[kind]));
  byId("go-undo").disabled = !game.moves.length && !game.result;
  byId("go-pass").disabled = byId("go-resign").disabled = ended() || !mine();
}

function drawAll() { drawBoard(); drawCurve(); drawRest(); }

// Playing

async function show() {
  const number = asked += 1;
  const found = await need("state", game);
  if (number !== asked) return;
  board = found;
  seen = null;
  cursor = Math.min(cursor, game.side ** 2 - 1);
  keep();
  drawAll();
  if (board.over && !game.result) await count();
  if (number !== asked) return;
  if (ended()) {
    status(say(words.over, { result: game.result }));
    return;
  }
  if (mine()) {
    const last = game.moves[game.moves.length - 1];
    const told = last ? `${say(words.played, { color: colorName(last[0]), move: nameOf(last[1]) })}. ` : "";
    status(told + say(words.yourTurn, { color: colorName(board.turn) }));
    if (shown.hints || shown.owners) await look();
  } else {
    await answer();
  }
}

async function answer() {
  const number = asked;
  status(say(words.thinks, { color: colorName(board.turn) }));
  thinking = true;
  let found;
  try {
    found = await need("move", { game, seconds });
  } finally {
    thinking = false;
  }
  if (number !== asked) return; // taken back, or a new game meanwhile
  if (found.resigns) {
    game.result = board.turn === 1 ? "W+R" : "B+R";
    await show();
    return;
  }
  game.moves.push([board.turn, found.action]);
  wins[game.moves.length] = found.black_wins;
  await show();
}

async function look() {
  const number = asked;
  const found = await ask("look", { game, seconds });
  if (number !== asked) return;
  seen = found;
  wins[game.moves.length] = found.black_wins;
  keep();
  drawAll();
}

async function count() {
  const number = asked;
  const found = await ask("score", game);
  if (number !== asked) return;
  counted = found;
  if (board.over) game.result = found.result;
  keep();
  drawAll();
  status(board.over ? say(words.over, { result: found.result }) : found.result);
}

async function play(action) {
  if (thinking || ended() || !mine()) return;
  if (!board.legal.includes(action)) {
    status(say(words.forbidden, { move: nameOf(action) }));
    return;
  }
  counted = null;
  game.moves.push([board.turn, action]);
  await show();
}

async function undo() {
  asked += 1;
  thinking = false; // what is being thought of is thrown away
  counted = null;
  const played = game.result === "" || board.over;
  game.result = "";
  if (played) game.moves.pop();
  // Back to a move of one's own.
  if (seat === "1" || seat === "2") {
    const turn = () => (game.moves.length ? 3 - game.moves[game.moves.length - 1][0] : game.turn);
    while (game.moves.length && String(turn()) !== seat) game.moves.pop();
  }
  wins.length = Math.min(wins.length, game.moves.length + 1);
  await show();
}

async function begin(form) {
  const given = new FormData(form);
  const wanted = { side: Number(given.get("side")), komi: Number(given.get("komi")), handicap: Number(given.get("handicap")) };
  game = await ask("new", wanted);
  seat = given.get("seat");
  seconds = Number(given.get("seconds"));
  thinking = false;
  counted = null;
  wins = [];
  cursor = Math.floor(game.side / 2) * (game.side + 1);
  await show();
}

async function save() {
  const { text } = await ask("write", game);
  const link = made("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/x-go-sgf" }));
  link.download = `shinso-${game.side}x${game.side}.sgf`;
  link.click();
  URL.revokeObjectURL(link.href);
  status(say(words.saved, { file: link.download }));
}

async function open(file) {
  // As bytes: which letters they are is for the server to find out, many files do not say it.
  const bytes = new Uint8Array(await file.arrayBuffer());
  const found = await ask("read", { content: btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join("")) });
  game = found;
  cursor = Math.floor(game.side / 2) * (game.side + 1);
  seat = "both";
  const form = byId("go-new").elements;
  const given = { seat, side: game.side, komi: game.komi, handicap: game.black.length };
  for (const [name, value] of Object.entries(given)) {
    const choices = [...(form[name].options ?? [])].map((one) => one.value);
    if (!choices.length || choices.includes(String(value))) form[name].value = value;
  }
  wins = [];
  counted = null;
  await show();
}

function toggle(kind) {
  shown[kind] = !shown[kind];
  drawAll();
  if (shown[kind] && !seen && !thinking) look().catch(() => {});
}

const safely = (work) => (...given) => { Promise.resolve(work(...given)).catch(() => {}); };

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
  const acts = { p: () => play(game.side ** 2), u: undo, h: () => toggle("hints"), o: () => toggle("owners"), c: count };
  const act = acts[event.key.toLowerCase()];
  if (act) {
    event.preventDefault();
    safely(act)();
  }
}

function onBoard(event) {
  const { side } = game;
  const [row, column] = [Math.floor(cursor / side), cursor % side];
  const to = {
    ArrowUp: [Math.max(row - 1, 0), column], ArrowDown: [Math.min(row + 1, side - 1), column],
    ArrowLeft: [row, Math.max(column - 1, 0)], ArrowRight: [row, Math.min(column + 1, side - 1)],
  }[event.key];
  if (to) {
    event.preventDefault();
    cursor = to[0] * side + to[1];
    const there = board ? board.stones[cursor] : 0;
    status(`${nameOf(cursor)}: ${there ? colorName(there) : words.empty}`);
    drawBoard();
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    safely(play)(cursor);
  }
}

function clicked(event) {
  const view = byId("board");
  const box = view.getBoundingClientRect();
  const scale = (8 * game.side + 8) / box.width;
  const place = (value) => Math.round((value * scale - 8) / 8);
  const [column, row] = [place(event.clientX - box.left), place(event.clientY - box.top)];
  if (Math.min(row, column) < 0 || Math.max(row, column) >= game.side) return;
  cursor = row * game.side + column;
  drawBoard();
  safely(play)(cursor);
}

async function start() {
  byId("board").addEventListener("click", clicked);
  byId("board").addEventListener("keydown", onBoard);
  document.addEventListener("keydown", keys);
  const buttons = { pass: () => play(game.side ** 2), undo, count, save, hints: () => toggle("hints"), owners: () => toggle("owners") };
  for (const [name, work] of Object.entries(buttons)) byId(`go-${name}`).addEventListener("click", safely(work));
  byId("go-again").addEventListener("click", safely(show));
  byId("go-resign").addEventListener("click", safely(() => {
    if (ended()) return undefined;
    game.result = board.turn === 1 ? "W+R" : "B+R";
    return show();
  }));
  byId("go-open").addEventListener("change", safely(() => {
    const file = byId("go-open").files[0];
    return file ? open(file) : undefined;
  }));
  byId("go-new").addEventListener("submit", (event) => {
    event.preventDefault();
    safely(begin)(event.target);
  });
  const kept = keptGame();
  if (!kept) {
    await begin(byId("go-new"));
    return;
  }
  ({ game, wins, seat, seconds } = kept);
  const form = byId("go-new").elements;
  for (const [name, value] of Object.entries({ side: game.side, komi: game.komi, seat, seconds })) form[name].value = value;
  await show();
}

safely(start)();
