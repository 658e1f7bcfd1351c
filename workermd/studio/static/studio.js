// The studio's own script. Every page works without it; it adds: times of the reader's zone, pages that follow the
// ledger, copying, a form beside the JSON of an input, and findings while a contract is typed.
"use strict";

const told = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localTimes(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const at = new Date(each.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    if (!each.title) each.title = each.textContent;
    each.textContent = told.format(at);
  }
}

// --- pages that follow the ledger ---

function follow(main) {
  const line = document.querySelector("[data-connection]");
  let mark = main.dataset.mark;
  let heard = Date.now();
  let over = false;
  const say = (words) => { if (line && line.textContent !== words) { line.hidden = !words; line.textContent = words; } };
  const source = new EventSource(main.dataset.live + (main.dataset.live.includes("?") ? "&" : "?") + "page=" + encodeURIComponent(location.search));
  const fresh = async () => {
    if (document.querySelector("[data-reload]")) { location.reload(); return; }
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    swap(page);
    mark = page.querySelector("main").dataset.mark;
    if (mark === undefined) { over = true; source.close(); say(""); }
  };
  source.addEventListener("mark", (event) => { heard = Date.now(); say(""); if (event.data !== mark) fresh(); });
  source.addEventListener("end", () => { over = true; source.close(); fresh(); });
  source.onerror = () => { if (!over) say("The connection is lost; trying again."); };
  setInterval(() => {
    const silent = Math.round((Date.now() - heard) / 1000);
    if (!over && silent > 10) say(`Nothing was heard for ${silent} s.`);
  }, 1000);
}

function swap(page) {
  const held = document.activeElement;
  for (const part of document.querySelectorAll("[data-swap]")) {
    const newer = page.getElementById(part.id);
    if (!newer || newer.innerHTML === part.dataset.was) continue;
    if (part.contains(held) && held.matches("input, textarea, select")) continue; // somebody types there
    const open = [...part.querySelectorAll("details[open] > summary")].map((each) => each.textContent);
    const shut = [...part.querySelectorAll("details:not([open]) > summary")].map((each) => each.textContent);
    part.dataset.was = newer.innerHTML;
    part.replaceChildren(...document.importNode(newer, true).childNodes);
    for (const each of part.querySelectorAll("details > summary")) {
      if (open.includes(each.textContent)) each.parentElement.open = true;
      if (shut.includes(each.textContent)) each.parentElement.open = false;
    }
    localTimes(part);
  }
}

// --- copying ---

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    button.textContent = button.dataset.copy; // no clipboard: the words to copy by hand
    return;
  }
  setTimeout(() => { button.textContent = words; }, 2000);
});

// --- a form beside the JSON of an input ---

let names = 0;

function made(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  element.append(...children);
  return element;
}

function resolved(schema, root, depth = 0) {
  if (!schema || typeof schema !== "object" || !schema.$ref || depth > 20) return schema;
  if (!schema.$ref.startsWith("#")) return {};
  let found = root;
  for (const step of schema.$ref.slice(1).split("/").slice(1)) found = found && found[decodeURIComponent(step).replace(/~1/g, "/").replace(/~0/g, "~")];
  const { $ref, ...rest } = schema;
  return { ...resolved(found, root, depth + 1), ...rest };
}

function typeOf(schema) {
  const type = Array.isArray(schema.type) ? schema.type.find((each) => each !== "null") : schema.type;
  if (schema.enum && schema.enum.every((each) => typeof each === "string")) return "enum";
  if (type === undefined && schema.properties) return "object";
  return type;
}

function rule(schema) {
  const said = [];
  if (schema.minLength > 1) said.push(`at least ${schema.minLength} characters`);
  if (schema.maxLength !== undefined) said.push(`at most ${schema.maxLength} characters`);
  if (schema.minimum !== undefined) said.push(`from ${schema.minimum}`);
  if (schema.maximum !== undefined) said.push(`to ${schema.maximum}`);
  if (schema.minItems > 0) said.push(`at least ${schema.minItems}`);
  if (schema.maxItems !== undefined) said.push(`at most ${schema.maxItems}`);
  if (schema.pattern) said.push(`like ${schema.pattern}`);
  return said.join(", ");
}

// A field is {element, read()}; read() gives undefined where nothing is given.
function field(name, schema, value, root, needed, changed, depth = 0) {
  schema = resolved(schema, root) || {};
  const type = typeOf(schema);
  const id = `field-${++names}`;
  const said = [schema.description, rule(schema)].filter(Boolean).join("; ");
  const hint = said ? made("span", { id: `${id}-hint`, class: "hint" }, said) : "";
  const about = said ? `${id}-hint` : undefined;
  const label = () => made("label", { for: id }, name, needed ? "" : made("span", { class: "hint" }, " (optional)"));
  const wrap = (control) => made("p", {}, label(), control, hint);
  const listen = (control) => { control.addEventListener("input", changed); return control; };

  if (type === "object" && schema.properties && depth < 8) {
    const parts = Object.entries(schema.properties).map(([key, below]) => {
      const wanted = (schema.required || []).includes(key);
      return [key, field(key, below, value && value[key], root, wanted, changed, depth + 1), wanted];
    });
    const others = Object.fromEntries(Object.entries(value || {}).filter(([key]) => !(key in schema.properties)));
    const element = depth ? made("fieldset", {}, made("legend", {}, name, needed ? "" : " (optional)"), hint) : made("div", {});
    element.append(...parts.map(([, part]) => part.element));
    return { element, read: () => {
      const result = { ...others };
      for (const [key, part, wanted] of parts) {
        const got = part.read();
        if (got !== undefined) result[key] = got;
        else if (wanted && part.empty !== undefined) result[key] = part.empty;
      }
      return Object.keys(result).length || needed || !depth ? result : undefined;
    } };
  }
  if (type === "array" && schema.items && typeof schema.items === "object" && depth < 8) {
    const list = made("div", {});
    let parts = [];
    const add = (item) => {
      const part = field(`${name} ${parts.length + 1}`, schema.items, item, root, true, changed, depth + 1);
      const away = made("button", { type: "button", "aria-label": `Remove this entry of ${name}` }, "Remove");
      const row = made("div", { class: "row" }, part.element, away);
      away.addEventListener("click", () => { parts = parts.filter((each) => each !== part); row.remove(); more.focus(); changed(); });
      parts.push(part);
      list.append(row);
      return row;
    };
    const more = made("button", { type: "button" }, `Add to ${name}`);
    more.addEventListener("click", () => { const row = add(undefined); const first = row.querySelector("input, select, textarea"); if (first) first.focus(); changed(); });
    for (const item of Array.isArray(value) ? value : []) add(item);
    const element = made("fieldset", {}, made("legend", {}, name, needed ? "" : " (optional)"), hint, list, more);
    return { element, empty: [], read: () => {
      const items = parts.map((each) => each.read()).filter((each) => each !== undefined);
      return items.length ? items : undefined;
    } };
  }
  if (type === "boolean") {
    const control = listen(made("select", { id, "aria-describedby": about }, made("option", { value: "" }, "–"), made("option", { value: "true" }, "yes"), made("option", { value: "false" }, "no")));
    control.value = value === undefined || value === null ? "" : String(value);
    return { element: wrap(control), read: () => (control.value === "" ? undefined : control.value === "true") };
  }
  if (type === "enum") {
    const control = listen(made("select", { id, "aria-describedby": about }, made("option", { value: "" }, "–"), ...schema.enum.map((each) => made("option", { value: each }, each))));
    control.value = value === undefined ? "" : value;
    return { element: wrap(control), read: () => (control.value === "" ? undefined : control.value) };
  }
  if (type === "integer" || type === "number") {
    const control = listen(made("input", { id, inputmode: "decimal", autocomplete: "off", "aria-describedby": about }));
    control.value = value === undefined || value === null ? "" : String(value);
    return { element: wrap(control), read: () => {
      const text = control.value.trim();
      if (text === "") return undefined;
      const number = Number(text);
      return Number.isFinite(number) && Number.isSafeInteger(Math.trunc(number)) ? number : text;
    } };
  }
  if (type === "string") {
    const long = !(schema.maxLength <= 200) && !schema.format && (schema.maxLength > 200 || /text|body|description|content|notes|summary/i.test(name));
    const control = listen(long ? made("textarea", { id, rows: 3, "aria-describedby": about }) : made("input", { id, autocomplete: "off", "aria-describedby": about }));
    control.value = value === undefined || value === null ? "" : String(value);
    return { element: wrap(control), empty: "", read: () => (control.value === "" ? undefined : control.value) };
  }
  const control = listen(made("textarea", { id, rows: 3, class: "text", "aria-describedby": about }));
  control.value = value === undefined ? "" : JSON.stringify(value, null, 2);
  return { element: wrap(control), read: () => {
    if (control.value.trim() === "") return undefined;
    try { return JSON.parse(control.value); } catch { return control.value; }
  } };
}

function inputForm(box) {
  const text = document.getElementById(box.dataset.json);
  const schema = JSON.parse(document.getElementById(box.dataset.schema).textContent);
  const problem = document.getElementById(box.dataset.problem);
  let root;
  const build = () => {
    let value;
    try {
      value = JSON.parse(text.value || "{}");
      problem.textContent = "";
      text.removeAttribute("aria-invalid");
    } catch (error) {
      problem.textContent = `The JSON cannot be read: ${error.message}`;
      text.setAttribute("aria-invalid", "true");
      return;
    }
    root = field("", schema, value, schema, true, () => {
      text.value = JSON.stringify(root.read(), null, 2);
      problem.textContent = "";
    });
    box.replaceChildren(root.element);
  };
  text.addEventListener("input", build);
  build();
}

// --- findings while a contract is typed ---

function editor(form) {
  const text = form.querySelector("textarea.text");
  const list = document.getElementById(form.dataset.findings);
  let timer = 0, asked = 0;
  const check = async () => {
    const mine = ++asked;
    const body = new URLSearchParams({ text: text.value, csrf: form.elements.csrf.value, worker: form.elements.worker.value });
    const response = await fetch(form.dataset.check, { method: "POST", body, headers: { Accept: "text/html" } });
    if (mine !== asked || !response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    list.replaceChildren(...document.importNode(page.body, true).childNodes);
  };
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 300); });
  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-line]");
    if (!link) return;
    event.preventDefault();
    const lines = text.value.split("\n");
    const line = Number(link.dataset.line);
    const start = lines.slice(0, line - 1).reduce((at, each) => at + each.length + 1, 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1] || "").length);
    text.scrollTop = Math.max(0, (line - 5) * parseFloat(getComputedStyle(text).lineHeight));
  });
}

localTimes(document);
for (const box of document.querySelectorAll(".source")) {
  const broken = box.querySelector(".broken");
  if (broken && !location.hash) box.scrollTop = Math.max(0, broken.offsetTop - 60);
}
if (document.querySelector("main[data-live]")) follow(document.querySelector("main"));
for (const box of document.querySelectorAll("[data-schema]")) inputForm(box);
for (const form of document.querySelectorAll("form[data-check]")) editor(form);
