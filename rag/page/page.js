// What the page does by itself; everything else is an event that the server answers (rag/page/build.py).
(() => {
  "use strict";
  if (window.askTheArticle) return;  // Gradio runs the head of the page twice.
  const parts = {};
  const narrow = matchMedia("(max-width: 767px)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const HEARTBEAT = 10000;
  const PAUSE = 400, BETWEEN = 800, LONG = 1500, WORDS = 3;  // milliseconds, and the words of a draft at least
  let drafts = false, draft = "", sent = -LONG, pause;
  let wanted = null, opener = null, atEnd = true, turns = 0, lost = false, typing = false;

  const byId = (id) => document.getElementById(id);
  const box = () => document.querySelector("#question textarea");
  const log = () => document.querySelector("#chat .log");
  const busy = () => log()?.dataset.busy === "true";
  const send = (event, data) => parts.chat.trigger(event, data);

  function say(text) {
    const status = byId("status");
    if (status) status.textContent = text;
  }

  // While a question is typed the model reads for it: when the typing pauses, and now and then at the end of a word.
  function typed(event) {
    if (!event.target.matches?.("#question textarea")) return;
    typing = true;
    keep();
    if (!drafts) return;
    clearTimeout(pause);
    const since = performance.now() - sent, word = /\s$/.test(box().value.slice(0, box().selectionEnd));
    if (word && since >= LONG) tell(); else pause = setTimeout(tell, Math.max(PAUSE, BETWEEN - since));
  }
  async function tell() {
    const text = box().value.trim(), known = text === draft;
    draft = text;
    if (known || busy() || text.split(/\s+/).length < WORDS) return;
    sent = performance.now();
    // Gradio loads the page anew after a call that does not get through, and what is typed would be gone.
    if (await answers() && box().value.trim() && !busy()) send("input");
  }
  document.addEventListener("input", typed);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) clearTimeout(pause);
  });

  // Drawers: one of "list", "documents", and on a narrow screen "right", lies over the conversation.
  function open(drawer, from) {
    opener = from ?? document.activeElement;
    document.body.dataset.drawer = drawer;
    cover(drawer === "right" ? ["top", "left"] : ["panes"]);
    expanded();
    byId(drawer)?.querySelector("button, a, input, textarea")?.focus();
  }
  function close() {
    if (!document.body.dataset.drawer) return false;
    delete document.body.dataset.drawer;
    cover([]);
    expanded();
    opener?.focus();
    return true;
  }
  function cover(ids) {  // what lies under a drawer is not reached by the keyboard
    for (const id of ["top", "left", "panes"]) byId(id)?.toggleAttribute("inert", ids.includes(id));
  }
  function expanded() {
    for (const button of document.querySelectorAll("[data-drawer-of]"))
      button.setAttribute("aria-expanded", String(document.body.dataset.drawer === button.dataset.drawerOf));
  }

  function now(elements) {
    for (const old of document.querySelectorAll(".now")) old.classList.remove("now");
    for (const each of elements) each.classList.add("now");
    const first = elements[0];
    if (!first) return;
    first.closest("details")?.setAttribute("open", "");
    first.scrollIntoView({ block: "center", behavior: still.matches ? "auto" : "smooth" });
    (first.querySelector("a") ?? first).focus({ preventScroll: true });
  }
  function reveal(anchor, from) {
    const found = byId(anchor);
    if (!found) return false;
    if (narrow.matches) open("right", from);
    const pieces = [...document.querySelectorAll("[data-of]")].filter((each) => each.dataset.of === anchor);
    now(pieces.length ? pieces : [found]);
    return true;
  }

  function edit(button) {
    const turn = button.closest(".turn"), question = turn.querySelector(".question");
    const form = document.createElement("div"), text = document.createElement("textarea");
    form.className = "editing";
    text.value = question.dataset.question ?? question.textContent;
    text.setAttribute("aria-label", "The question, to be asked again");
    const finish = (asked) => {
      form.remove();
      question.hidden = false;
      if (asked && text.value.trim()) send("submit", { action: "edit", turn: Number(turn.dataset.turn), question: text.value });
      else button.focus();
    };
    for (const [label, asked] of [["Ask", true], ["Cancel", false]]) {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "tool";
      made.textContent = label;
      made.addEventListener("click", () => finish(asked));
      form.append(made);
    }
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); finish(true); }
      if (event.key === "Escape") { event.stopPropagation(); finish(false); }
    });
    form.prepend(text);
    question.hidden = true;
    question.after(form);
    text.focus();
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // The clipboard is closed to pages over plain HTTP from another machine.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say("Copied.");
  }

  function complain(form) {
    const value = (name) => form.querySelector(`[name=${name}]`).value;
    send("click", {
      action: "rate", turn: Number(form.dataset.turn), verdict: "bad",
      reason: value("reason"), comment: value("comment"), right: value("right"),
    });
    form.hidden = true;
  }

  const actions = {
    source: (link) => {
      if (!reveal(link.dataset.anchor, link)) {
        wanted = [link.dataset.anchor, link];
        send("click", { action: "source", turn: Number(link.dataset.turn) });
      }
    },
    passage: (link) => reveal(link.dataset.anchor, opener ?? link),
    resting: (link) => {
      close();
      now(link.dataset.sentences.split(" ").map(byId).filter(Boolean));
    },
    copy: (button) => copy(button.dataset.text),
    retry: (button) => send("submit", { action: "retry", turn: Number(button.dataset.turn) }),
    edit,
    delete: (button) => send("click", { action: "delete", turn: Number(button.dataset.turn) }),
    rate: (button) => {
      const form = button.closest(".turn").querySelector(".complaint");
      const pressed = button.getAttribute("aria-pressed") === "true", verdict = button.dataset.verdict;
      if (verdict === "bad" && !pressed) {
        for (const text of form.querySelectorAll("textarea")) text.value = "";
        form.querySelector("select").selectedIndex = 0;
        form.hidden = false;
        form.querySelector("select").focus();
      } else send("click", { action: "rate", turn: Number(button.dataset.turn), verdict: pressed ? "" : verdict });
    },
    complain: (button) => complain(button.closest(".complaint")),
    cancel: (button) => { button.closest(".complaint").hidden = true; },
    suggest: (button) => send("submit", { action: "suggest", question: button.dataset.question }),
    new: () => { close(); send("click", { action: "new" }); box()?.focus(); },
    open: (button) => { close(); send("click", { action: "open", conversation: button.dataset.conversation }); },
    remove: (button) => {
      if (confirm("Delete this conversation for good?"))
        send("click", { action: "remove", conversation: button.dataset.conversation });
    },
    drawer: (button) => {
      if (document.body.dataset.drawer === button.dataset.drawerOf) close(); else open(button.dataset.drawerOf, button);
    },
    close: () => close(),
    theme: () => {
      const dark = document.body.classList.toggle("dark");
      localStorage.setItem("theme", dark ? "dark" : "light");
    },
    reload: () => location.reload(),
  };

  document.addEventListener("click", (event) => {
    const found = event.target.closest?.("[data-action]");
    if (!found || !(found.dataset.action in actions)) return;
    event.preventDefault();
    actions[found.dataset.action](found);
  });
  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "Escape" && !close() && busy()) byId("stop")?.click();
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      box()?.focus();
    }
  });

  function place(link) {
    const quotation = link.nextElementSibling, at = link.getBoundingClientRect(), edge = 8;
    const left = Math.min(at.left, innerWidth - quotation.offsetWidth - edge);
    const below = at.bottom + 4, fits = below + quotation.offsetHeight < innerHeight - edge;
    quotation.style.left = `${Math.max(edge, left)}px`;
    quotation.style.top = `${Math.max(edge, fits ? below : at.top - quotation.offsetHeight - 4)}px`;
  }
  for (const kind of ["mouseover", "focusin"])
    document.addEventListener(kind, (event) => {
      const link = event.target.closest?.(".citing > .cite");
      if (link) place(link);
    });

  // The address names the conversation, so that it is there after a reload and behind the back button.
  function address() {
    const identity = log()?.dataset.conversation ?? "", shown = new URLSearchParams(location.search).get("c") ?? "";
    if (identity === shown) return;
    const url = identity ? `?c=${encodeURIComponent(identity)}` : location.pathname;
    if (shown) history.pushState(null, "", url); else history.replaceState(null, "", url);
  }
  addEventListener("popstate", () => {
    const shown = new URLSearchParams(location.search).get("c");
    send("click", shown ? { action: "open", conversation: shown } : { action: "new" });
  });

  function end(pane) {  // how far to follow: what is being written stays in view above the evidence
    const last = pane.scrollHeight - pane.clientHeight;
    const turn = pane.querySelector("[data-busy=true] .turn:last-child"), draft = turn?.querySelector(".draft");
    if (!turn?.querySelector(".evidence")) return last;
    const written = draft ? draft.offsetTop + draft.offsetHeight : 0;
    return Math.min(last, Math.max(turn.offsetTop, written - pane.clientHeight * 0.6));
  }

  // Gradio loads the page anew after a lost connection: what was typed is there again.
  function keep() {
    if (!box()) return;
    const kept = typing ? null : sessionStorage.getItem("question");
    typing = true;
    if (!kept || box().value) return sessionStorage.setItem("question", box().value);
    box().value = kept;
    box().dispatchEvent(new Event("input", { bubbles: true }));
  }

  function follow(element) {
    const count = element.querySelectorAll(".turn").length;
    if (count > turns) atEnd = true;
    if (count > turns || !typing) setTimeout(keep, PAUSE);  // What was typed may have been asked.
    turns = count;
    document.body.dataset.busy = String(busy());
    if (atEnd) element.scrollTop = end(element);
    const link = element.querySelector(".citing > .cite:hover, .citing > .cite:focus-visible");
    if (link) place(link);  // drawing it anew took its place away
    address();
  }

  async function answers() {
    try { return (await fetch("health", { cache: "no-store" })).ok; } catch { return false; }
  }
  async function heartbeat() {
    if (document.hidden) return;
    const there = await answers();
    if (!there && !lost) say("The connection to the server is lost. The page tries again by itself.");
    if (there && lost) {
      say("");
      catchUp();
    }
    lost = !there;
  }
  // What came meanwhile: an answer goes on without this page, and another tab may have asked.
  function catchUp() {
    const conversation = log()?.dataset.conversation ?? "", had = turns ? { turn: turns } : {};
    send("click", { action: busy() ? "open" : "refresh", conversation, ...had });
  }

  if ((localStorage.getItem("theme") ?? "") === "dark" && document.body) document.body.classList.add("dark");

  // Called by each pane when it is there, with what Gradio gives it.
  window.askTheArticle = (name, element, trigger, watch, reads) => {
    parts[name] = { element, trigger };
    drafts ||= reads;
    const label = { chat: "Conversation", source: "Document" }[name];
    for (const scrolls of name === "chat" ? [byId("chat")] : [byId("source"), byId("right")]) {
      scrolls.tabIndex = 0;
      scrolls.setAttribute("role", "region");
      scrolls.setAttribute("aria-label", scrolls.id === "right" ? "Passages and document" : label);
    }
    if (name === "chat") {
      const pane = byId("chat");
      const dark = localStorage.getItem("theme");
      if (dark) document.body.classList.toggle("dark", dark === "dark");
      pane.addEventListener("scroll", () => { atEnd = end(pane) - pane.scrollTop < 60; });
      watch("value", () => follow(pane));
      setInterval(heartbeat, HEARTBEAT);
      document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
      addEventListener("offline", heartbeat);
      addEventListener("online", heartbeat);
    }
    if (name === "source") {
      let shown = "";
      watch("value", () => {
        const turn = byId("source").querySelector(".source")?.dataset.turn;
        if (wanted && reveal(...wanted)) wanted = null;
        else if (turn !== shown) byId("right").scrollTop = byId("source").scrollTop = 0;
        shown = turn;
      });
    }
  };
})();
