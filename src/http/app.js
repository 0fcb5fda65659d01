// The chat of the page: one WebSocket, requests answered by their request_id, events by their type.
// Law: text from others becomes text (textContent), never markup; secrets stay off the wire panel.
const $ = (id) => document.getElementById(id);
const SECRETS = new Set(["password", "old_password", "new_password", "token", "refresh_token"]);
const TRIES = 5, TIMEOUT_MS = 30000, WIRE_LINES = 200;
let socket, tries = 0, number = 0, me = null, chats = [], open = null, renewal, reload;
const waiting = new Map();

function element(tag, text, properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, properties);
}

// ---- the connection ----

function state(word, text) {
  $("state").dataset.state = word;
  $("state").textContent = text ?? word;
  $("retry").hidden = word !== "offline";
}

function wire(arrow, message) {
  const shown = JSON.stringify(message, (key, value) => SECRETS.has(key) ? "•••" : value);
  const panel = $("wire"), last = panel.scrollTop + panel.clientHeight >= panel.scrollHeight - 8;
  panel.append(element("li", `${arrow} ${shown}`, { className: arrow === "→" ? "sent" : "received" }));
  while (panel.children.length > WIRE_LINES) panel.firstChild.remove();
  if (last) panel.scrollTop = panel.scrollHeight;
}

function connect() {
  state("connecting");
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, "stentor.v1.json");
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = ({ code, reason }) => lost(code, reason);
}

function lost(code, reason) {
  waiting.forEach(({ reject }) => reject(new Error("connection lost")));
  waiting.clear();
  clearTimeout(renewal);
  if (code >= 4000 && code < 4100) return state("offline", `closed: ${reason} (${code})`);
  if (tries >= TRIES) return state("offline", `offline after ${TRIES} tries`);
  const wait = 2 ** tries++;
  state("waiting", `connection lost (${code}); try ${tries} of ${TRIES} in ${wait} s`);
  setTimeout(connect, wait * 1000);
}

function ask(type, parameters = {}) {
  const message = { type, request_id: String(++number), ...parameters };
  return new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) return reject(new Error("not connected"));
    const late = setTimeout(() => fail(message.request_id, new Error("no answer within 30 s")), TIMEOUT_MS);
    waiting.set(message.request_id, { resolve, reject, late });
    wire("→", message);
    socket.send(JSON.stringify(message));
  });
}

function fail(id, error) {
  waiting.get(id)?.reject(error);
  waiting.delete(id);
}

function hear(message) {
  wire("←", message);
  if (!message.status) return EVENTS[message.type]?.(message.payload);
  const call = waiting.get(message.request_id);
  if (!call) return;
  waiting.delete(message.request_id);
  clearTimeout(call.late);
  if (message.status === "ok") return call.resolve(message.data);
  call.reject(Object.assign(new Error(message.message), { code: message.code }));
}

const EVENTS = {
  hello: resume,
  message: (message) => message.chat_id === open?.id ? (show(message), seen()) : soon(),
  "message:edited": (message) => message.chat_id === open?.id && show(message),
  "message:deleted": ({ chat_id, seq }) => chat_id === open?.id && $(`m${seq}`)?.remove(),
  "group:created": soon, "chat:updated": soon, "member:joined": soon, "member:left": soon,
  typing: ({ chat_id, username, active }) => {
    if (chat_id === open?.id) $("typing").textContent = active ? `${username} is typing` : "";
  },
};

// ---- who I am ----

async function resume() {
  tries = 0;
  state("online", "connected");
  const token = sessionStorage.getItem("token"), refresh_token = sessionStorage.getItem("refresh_token");
  if (!token) return welcome(null);
  try {
    welcome(await ask("auth", { token }));
  } catch (error) {
    if (error.code !== "token_expired") return welcome(null);
    await renew(refresh_token).then((data) => ask("auth", { token: data.token })).then(welcome, () => welcome(null));
  }
}

async function renew(refresh_token) {
  const data = await ask("refresh", { refresh_token });
  keep(data);
  return data;
}

function keep({ token, refresh_token, expires_at }) {
  if (token) sessionStorage.setItem("token", token);
  if (refresh_token) sessionStorage.setItem("refresh_token", refresh_token);
  clearTimeout(renewal);
  const left = Date.parse(expires_at) - Date.now() - 60000;
  const mine = sessionStorage.getItem("refresh_token");
  if (mine) renewal = setTimeout(() => renew(mine).catch(say), Math.max(left, 1000));
}

function welcome(data) {
  me = data?.user ?? null;
  if (data) keep(data);
  else sessionStorage.clear();
  $("account").hidden = !!me;
  $("room").hidden = $("logout").hidden = !me;
  $("who").textContent = me ? `signed in as ${me.username}` : "";
  if (!me) return enter(null);
  list().then(() => open && enter(open.id)).catch(say);
}

// ---- chats ----

const title = (chat) => chat.kind === "dm"
  ? chat.members.find((member) => member.id !== me.id)?.username ?? chat.name : chat.name;

function soon() {
  clearTimeout(reload);
  reload = setTimeout(() => list().catch(say), 200);
}

async function list() {
  ({ chats } = await ask("get_user_chats"));
  $("chats").replaceChildren(...chats.map((chat) => {
    const unread = chat.unread && chat.id !== open?.id ? ` (${chat.unread} new)` : "";
    const button = element("button", title(chat) + unread, { onclick: () => enter(chat.id).catch(say) });
    button.setAttribute("aria-current", chat.id === open?.id);
    const item = element("li", "");
    item.append(button);
    return item;
  }));
}

async function enter(id) {
  open = chats.find((chat) => chat.id === id) ?? null;
  $("talk").hidden = !open;
  $("messages").replaceChildren();
  if (!open) return;
  $("title").textContent = title(open);
  $("typing").textContent = "";
  await page();
  await list();
  $("compose").content.focus();
}

async function page(before_seq) {
  const { messages, has_more } = await ask("get_messages", { chat_id: open.id, before_seq, limit: 50 });
  messages.forEach(show);
  $("earlier").hidden = !has_more;
  seen();
}

function show(message) {
  const item = element("li", "", { id: `m${message.seq}` });
  item.dataset.seq = message.seq;
  const edited = message.edited_at ? " (edited)" : "";
  item.append(element("strong", message.sender.username), ": ",
    message.deleted_at ? element("em", "deleted") : message.content + edited, " ",
    element("time", new Date(message.created_at).toLocaleTimeString(), { dateTime: message.created_at }));
  const old = $(item.id), later = [...$("messages").children].find((other) => +other.dataset.seq > message.seq);
  if (old) return old.replaceWith(item);
  $("messages").insertBefore(item, later ?? null);
  if (!later) item.scrollIntoView({ block: "nearest" });
}

function seen() {
  const seq = +$("messages").lastElementChild?.dataset.seq;
  if (seq > open.read_seq) {
    open.read_seq = seq;
    ask("mark_read", { chat_id: open.id, seq }).catch(say);
  }
}

async function find(username) {
  const { users } = await ask("search_users", { query: username });
  const user = users.find((user) => user.username.toLowerCase() === username.toLowerCase());
  if (!user) throw new Error(`there is no user ${username}`);
  return user.id;
}

// ---- forms ----

function say(error) {
  $("notice").textContent = error?.message ?? "";
}

function on(form, act) {
  $(form).addEventListener("submit", async (event) => {
    event.preventDefault();
    say();
    const fields = Object.fromEntries(new FormData(event.target));
    try {
      await act(fields, event.submitter?.value);
      event.target.reset();
    } catch (error) { say(error); }
  });
}

on("account", async (fields, verb) => welcome(await ask(verb || "login", fields)));
on("dm", async ({ username }) => {
  const { chat } = await ask("create_dm", { other_user_id: await find(username.trim()) });
  await list();
  await enter(chat.id);
});
on("group", async ({ name, members }) => {
  const names = members.split(/[\s,]+/).filter(Boolean);
  const member_ids = await Promise.all(names.map(find));
  const { chat } = await ask("create_group", { group_name: name, member_ids });
  await list();
  await enter(chat.id);
});
on("compose", async ({ content }) => {
  const client_id = `${Date.now()}-${Math.random()}`;
  const { message } = await ask("message", { chat_id: open.id, content, client_id });
  show(message);
  open.read_seq = Math.max(open.read_seq, message.seq);
});
let told = 0;
$("compose").addEventListener("input", () => {
  if (!open || Date.now() - told < 3000) return;
  told = Date.now();
  ask("typing", { chat_id: open.id }).catch(say);
});
$("earlier").onclick = () => page(+$("messages").firstElementChild.dataset.seq).catch(say);
$("logout").onclick = () => ask("logout").catch(say).finally(() => welcome(null));
$("retry").onclick = () => { tries = 0; connect(); };
connect();
