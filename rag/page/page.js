// What the page does by itself; everything else is an event that the server answers (rag/page/build.py).
(() => {
  "use strict";
  if (window.askTheArticle) return;  // Gradio runs the head of the page twice.
  const narrow = matchMedia("(max-width: 767px)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const HEARTBEAT = 10000;
  const PAUSE = 400, BETWEEN = 800, LONG = 1500, WORDS = 3;  // milliseconds, and the words of a draft at least
  const WAITS = 300;  // pauses until dropped files are let go
  let trigger = () => {}, drafts = false, draft = "", sent = -LONG, pause, typing = false, lost = false;
  let wanted = null, opener = null, begun = 0, shown = "", fresh = false, back = false;

  const byId = (id) => document.getElementById(id);
  const box = () => document.querySelector("#question textarea");
  const last = () => [...document.querySelectorAll("#chat .reply")].at(-1);
  const busy = () => last()?.dataset.busy === "true";
  const conversation = () => document.querySelector("#list nav")?.dataset.current ?? "";
  const send = (data, event = "click") => trigger(event, data);
  const say = (text) => { byId("status").textContent = text; };

  // While a question is typed the model reads for it: when the typing pauses, and now and then at the end of a word.
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.("#question textarea")) return;
    typing = true;
    keep();
    if (!drafts) return;
    clearTimeout(pause);
    const since = performance.now() - sent, word = /\s$/.test(box().value.slice(0, box().selectionEnd));
    if (word && since >= LONG) tell(); else pause = setTimeout(tell, Math.max(PAUSE, BETWEEN - since));
  });
  async function tell() {
    const text = box().value.trim(), known = text === draft;
    draft = text;
    if (known || busy() || text.split(/\s+/).length < WORDS) return;
    sent = performance.now();
    // Gradio loads the page anew after a call that does not get through.
    if (await answers() && box().value.trim() && !busy()) send({}, "input");
  }

  // Gradio loads the page anew after a lost connection: what was typed is there again.
  function keep() {
    if (!box()) return;
    const kept = typing ? null : sessionStorage.getItem("question");
    typing = true;
    if (!kept || box().value) return sessionStorage.setItem("question", box().value);
    put(box(), kept);
  }
  function put(area, text) {
    area.value = text;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // Gradio takes a question for HTML: it is edited as it was typed, and handed on as HTML again.
  const CODES = [["&", "&amp;"], ["<", "&lt;"], [">", "&gt;"]];
  const asHtml = (text) => CODES.reduce((whole, [sign, code]) => whole.replaceAll(sign, code), text);
  const asText = (html) => CODES.reduceRight((whole, [sign, code]) => whole.replaceAll(code, sign), html);
  document.addEventListener("focusin", (event) => {
    if (!event.target.matches?.(".edit-textarea:not([data-text])")) return;
    event.target.dataset.text = "";
    put(event.target, asText(event.target.value));
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.(".message-buttons") && event.target.closest(".message-row");
    const area = row?.querySelector(".edit-textarea[data-text]");
    if (area) put(area, asHtml(area.value));
  }, true);
  function editing(event) {
    const row = event.target.closest(".message-row"), [submit, cancel] = row.querySelectorAll(".message-buttons button");
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit.click();
      box()?.focus();
    } else if (event.key === "Escape") {
      cancel.click();
      setTimeout(() => row.querySelector(".message-buttons button")?.focus());
    }
  }

  // The cited words: marked, brought into view; on a phone in a sheet from below.
  function now(elements) {
    for (const old of document.querySelectorAll(".now:not(.steps *)")) old.classList.remove("now");
    for (const each of elements) each.classList.add("now");
    const first = elements[0];
    first?.closest("details")?.setAttribute("open", "");
    first?.scrollIntoView({ block: "center", behavior: still.matches ? "auto" : "smooth" });
    return first;
  }
  function reveal(anchor, from, focus = true) {
    const pieces = [...document.querySelectorAll("#source [data-of]")].filter((each) => each.dataset.of === anchor);
    if (!pieces.length && !byId(anchor)) return false;
    if (narrow.matches && from) sheet(from);
    const first = now(pieces.length ? pieces : [byId(anchor)]);
    if (focus) (first.querySelector("a") ?? first).focus({ preventScroll: true });
    return true;
  }
  function step(by) {
    const marks = [...document.querySelectorAll("#source mark[data-number]")];
    const at = marks.findIndex((each) => each.classList.contains("now"));
    if (marks.length) reveal(marks.at((at + by) % marks.length).dataset.of);
  }
  function sheet(from) {
    if (from) opener = from;
    const open = document.body.hasAttribute("data-sheet");
    if (from && !open) history.pushState("sheet", "");  // The way back closes it.
    if (from) opener = from;
    document.body.toggleAttribute("data-sheet", Boolean(from));
    byId("left").inert = Boolean(from);
    if (from) return;
    opener?.focus();
    if (!open || history.state !== "sheet") return;
    back = true;
    history.back();
  }

  function aside() {
    const toggle = document.querySelector("#sidebar.open .toggle-button");
    toggle?.click();
    toggle?.focus();
  }

  // A quotation beside its number, within the window.
  for (const kind of ["mouseover", "focusin"])
    document.addEventListener(kind, (event) => {
      const link = event.target.closest?.(".citing > .cite"), quotation = link?.nextElementSibling;
      if (!quotation) return;
      const at = link.getBoundingClientRect(), edge = 8, below = at.bottom + 4;
      const fits = below + quotation.offsetHeight < innerHeight - edge;
      quotation.style.left = `${Math.max(edge, Math.min(at.left, innerWidth - quotation.offsetWidth - edge))}px`;
      quotation.style.top = `${fits ? below : at.top - quotation.offsetHeight - 4}px`;
    });

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // The clipboard is closed to pages over plain HTTP from another machine.
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }

  const actions = {
    source: (link) => {
      const turn = Number(link.dataset.turn);
      if (reveal(link.dataset.anchor, link)) return;
      wanted = [link.dataset.anchor, link];
      send({ action: "source", turn });
    },
    passage: (link) => reveal(link.dataset.anchor),
    resting: (link) => {
      if (narrow.matches) sheet(null);
      const found = link.dataset.sentences.split(" ").map(byId).filter(Boolean);
      now(found.length ? found : [byId(link.getAttribute("href").slice(1))])?.focus({ preventScroll: true });
    },
    copy: (button) => {
      copy(button.dataset.text);
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 1500);
    },
    new: () => { send({ action: "new" }); if (narrow.matches) aside(); box()?.focus(); },
    open: (button) => { send({ action: "open", conversation: button.dataset.conversation }); if (narrow.matches) aside(); },
    rename: (button) => {
      const title = prompt("The name of this conversation", button.dataset.title);
      if (title?.trim()) send({ action: "rename", conversation: button.dataset.conversation, title });
    },
    remove: (button) => send({ action: "remove", conversation: button.dataset.conversation }),
    close: () => sheet(null),
    previous: () => step(-1),
    next: () => step(1),
    theme: () => localStorage.setItem("theme", document.body.classList.toggle("dark") ? "dark" : "light"),
  };
  document.addEventListener("click", (event) => {
    const found = event.target.closest?.("[data-action]");
    if (!found || !(found.dataset.action in actions)) return;
    event.preventDefault();
    actions[found.dataset.action](found);
  });
  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.target.matches?.(".edit-textarea")) return editing(event);
    if (event.key === "Enter" && !event.shiftKey) clearTimeout(pause);
    if (event.key === "Escape" && document.body.hasAttribute("data-sheet")) sheet(null);
    else if (event.key === "Escape" && event.target.closest?.("#sidebar")) aside();
    else if (event.key === "Escape" && busy()) document.querySelector("#question .stop-button")?.click();
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      box()?.focus();
    }
  });

  // The address names the conversation, so that it is there after a reload and behind the back button.
  function address() {
    const identity = conversation(), named = new URLSearchParams(location.search).get("c") ?? "";
    if (!identity || identity === named) return;  // It has none before the server has answered.
    const url = `?c=${encodeURIComponent(identity)}`;
    if (named) history.pushState(null, "", url); else history.replaceState(null, "", url);
  }
  addEventListener("popstate", () => {
    if (document.body.hasAttribute("data-sheet")) return sheet(null);
    if (back) return back = false;  // The sheet was closed by its button.
    send({ action: "open", conversation: new URLSearchParams(location.search).get("c") ?? "" });
  });

  async function answers() {
    try { return (await fetch("health", { cache: "no-store" })).ok; } catch { return false; }
  }
  async function heartbeat() {
    if (document.hidden) return;
    const there = await answers();
    if (!there && !lost) say("The connection to the server is lost. The page tries again by itself.");
    if (there && lost) { say(""); catchUp(); }
    lost = !there;
  }
  // What came meanwhile: an answer goes on without this page, and another tab may have asked.
  function catchUp() {
    const updated = Number(document.querySelector("#list nav")?.dataset.updated ?? 0);
    send({ action: busy() ? "open" : "refresh", conversation: conversation(), updated });
  }

  // Names and roles that Gradio gives no way to set.
  const NAMES = {
    "#question .submit-button": { "aria-label": "Ask", title: "Ask" },
    "#question .stop-button": { "aria-label": "Stop", title: "Stop" },
    "#chat [aria-label=Undo]": { "aria-label": "Take back", title: "Take back" },  // "Undo" is the way back from it.
    "#chat [role=log]": { "aria-label": "Conversation" },
    "#chat .edit-textarea": { "aria-label": "Your question" },
    "#chat .examples": { role: "group", "aria-label": "Questions to begin with" },
    "#chat .options": { role: "group", "aria-label": "Questions to ask next" },
    "#sidebar .toggle-button": { "aria-label": "Conversations and documents", title: "Conversations and documents" },
    ".toast-header": { role: "group", tabindex: "-1" },  // It holds a button.
    "#right": { role: "region", "aria-label": "Document", tabindex: "0" },
  };
  function name() {
    for (const [selector, given] of Object.entries(NAMES))
      for (const each of document.querySelectorAll(selector))
        for (const [key, value] of Object.entries(given)) each.setAttribute(key, value);
  }

  const narrower = new ResizeObserver(() => {  // By the sidebar: what was shown stays in view.
    document.querySelector("#source .now")?.scrollIntoView({ block: "nearest" });
  });
  function drawn() {
    name();
    if (byId("right")) narrower.observe(byId("right"));
    address();
    document.querySelector(".edit-textarea:not([data-text])")?.focus();
    if (!typing) setTimeout(keep, PAUSE);
    if (!last() && !fresh) document.querySelector("#chat [role=log]")?.scrollTo(0, 0);  // Gradio shows the end.
    fresh = !last() && Boolean(document.querySelector("#chat .example"));
    const reply = last(), id = reply ? `${reply.id} ${reply.dataset.busy}` : "";
    if (id !== shown) {
      if (busy()) setTimeout(keep, PAUSE);  // What was typed is asked now.
      begun = busy() ? performance.now() : 0;
      const cite = !busy() && shown && reply?.querySelector(".cite");
      if (cite && !narrow.matches) reveal(cite.dataset.anchor, null, false) || (wanted = [cite.dataset.anchor, null]);
      shown = id;
    }
    if (wanted && reveal(...wanted, Boolean(wanted[1]))) wanted = null;
  }

  if (localStorage.getItem("theme") === "dark") document.body?.classList.add("dark");
  // Called when the page is there, with what Gradio gives it.
  window.askTheArticle = (given, reads) => {
    [trigger, drafts] = [given, reads];
    const dark = localStorage.getItem("theme");
    if (dark) document.body.classList.toggle("dark", dark === "dark");
    let frame = 0;
    new MutationObserver(() => { cancelAnimationFrame(frame); frame = requestAnimationFrame(drawn); })
      .observe(document.body, { childList: true, subtree: true });
    setInterval(heartbeat, HEARTBEAT);
    setInterval(() => {
      const clock = document.querySelector("#chat .steps .now");
      if (clock && begun) clock.dataset.seconds = `${Math.round((performance.now() - begun) / 1000)} s`;
    }, 1000);
    for (const event of ["offline", "online"]) addEventListener(event, heartbeat);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
  };

  // The list of documents: a tick is counted here at once, and told to the server.
  window.askTheArticle.documents = (list, tell, watch) => {
    let last = "";
    const pressed = new Set();
    const key = (control) => `${control.dataset.action ?? ""} ${control.value || control.dataset.document}`;
    list.addEventListener("focusin", (event) => { last = key(event.target); });
    list.addEventListener("change", ({ target }) => {
      const ticks = [...list.querySelectorAll("input:checked")].map((each) => each.value);
      const asked = list.querySelector("[data-elsewhere]");
      asked.textContent = (Number(asked.dataset.elsewhere) + ticks.length).toLocaleString("en");
      tell("input", { document: target.value, ticked: target.checked, ticks });
    });
    list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-document]"), id = button?.dataset.document;
      if (button?.dataset.action === "only") tell("input", { document: id, ticked: true, only: true });
      else if (button?.dataset.action === "discard" && !pressed.has(id)) {
        pressed.add(id);  // A second click is none.
        setTimeout(() => pressed.delete(id), LONG);
        tell("click", { document: id });
      } else if (button?.dataset.action === "read") {
        tell("select", { document: id });
        if (!narrow.matches) return;
        document.querySelector("#sidebar.open .toggle-button")?.click();
        sheet(button);
      }
    });
    // Gradio keeps elements and gives them to other documents: ticks and the keyboard go back to where they belong.
    watch("value", () => {
      const controls = [...list.querySelectorAll("input, button")], at = document.activeElement;
      for (const box of list.querySelectorAll("input")) box.checked = box.defaultChecked;
      if (!last || (at !== document.body && !(list.contains(at) && key(at) !== last))) return;
      const same = controls.find((each) => key(each) === last);
      (same ?? document.querySelector("#documents-status button"))?.focus({ preventScroll: true });
    });
  };

  window.askTheArticle.status = (line, tell) => {
    line.setAttribute("role", "status");
    line.setAttribute("aria-label", "Documents");
    line.addEventListener("click", (event) => { if (event.target.closest("[data-action=restore]")) tell("click"); });
  };
  window.askTheArticle.opened = () => {  // a document, from its beginning
    const shown = document.querySelector("#source .document");
    byId("right").scrollTop = 0;
    shown?.setAttribute("tabindex", "-1");
    shown?.focus({ preventScroll: true });
  };

  // Files that are dropped anywhere go where documents are added.
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    const { files } = event.dataTransfer;
    const hand = (tries) => {
      const input = document.querySelector("#documents-files input[type=file]");
      if (!input) {  // Gradio draws what is folded when it is opened, and no input while other files are taken in.
        document.querySelector("#sidebar:not(.open) .toggle-button")?.click();
        const tab = [...document.querySelectorAll("#sidebar [role=tab]")].at(-1);
        if (tab?.ariaSelected === "false") tab.click();
        document.querySelector("#documents-adding > button:not(.open)")?.click();
        if (tries) setTimeout(() => hand(tries - 1), PAUSE);
        return;
      }
      input.files = files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    hand(WAITS);
  });
})();
