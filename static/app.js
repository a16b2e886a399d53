/* Small enhancements. Every page works without this file: no eval, no inline handlers, no style attributes. */
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (name, act) => document.addEventListener(name, act);

  // Words for screen readers, in the region that is there from the start. The same words are not said twice.
  let said = "";
  const say = (text) => {
    const live = one("#live");
    if (!live || !text || text === said) return;
    said = text;
    live.textContent = "";
    requestAnimationFrame(() => { live.textContent = text; });
  };

  // Copy, print, and selects that send their form.
  on("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-print]");
    if (!button) return;
    if ("print" in button.dataset) { window.print(); return; }
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1200);
      said = "";
      say(`Copied ${button.dataset.copy}`);
    } catch {
      say("Could not copy");
    }
  });
  on("change", (event) => {
    if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
  });

  // Selection: tick all, tint rows, sum whole micro-units per currency in the action bar.
  const rounded = (micro, digits) => {
    const unit = 10n ** BigInt(6 - digits);
    const whole = (micro < 0n ? -micro : micro) + unit / 2n;
    const text = String(whole / unit).padStart(digits + 1, "0");
    const main = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, ",");
    return (micro < 0n ? "\u2212" : "") + main + (digits ? `.${text.slice(-digits)}` : "");
  };
  const span = (className, ...parts) => {
    const made = Object.assign(document.createElement("span"), { className });
    made.append(...parts);
    return made;
  };
  const sums = (boxes, key) => {
    const found = new Map();
    let unknown = 0;
    for (const { dataset } of boxes) {
      if (!dataset[key] || !dataset.currency) { unknown += 1; continue; }
      const before = found.get(dataset.currency) || [0n, Number(dataset.digits ?? 2)];
      found.set(dataset.currency, [before[0] + BigInt(dataset[key]), before[1]]);
    }
    const lines = [...found].sort().map(([code, [micro, digits]]) => span("money", `${rounded(micro, digits)} `, span("cur", code)));
    if (unknown) lines.push(span("faint", `${lines.length ? "+ " : ""}${unknown} unknown`));
    return lines;
  };
  const refresh = (form) => {
    const rows = all("[data-row]", form);
    const ticked = rows.filter((box) => box.checked);
    const once = [...new Map(ticked.map((box) => [box.value, box])).values()]; // a row may stand in a table and in a list
    const head = one("[data-all]", form);
    const bar = one("[data-abar]", form);
    rows.forEach((box) => box.closest("tr, li")?.classList.toggle("sel", box.checked));
    if (head) {
      const free = rows.filter((box) => !box.disabled);
      head.checked = free.length > 0 && free.every((box) => box.checked);
      head.indeterminate = ticked.length > 0 && !head.checked;
    }
    if (!bar) return;
    const chosen = once.concat(all("[data-kept-row]", form));
    const { noun, nouns, max } = bar.dataset;
    const over = max && chosen.length > Number(max);
    bar.classList.toggle("on", chosen.length > 0);
    one("[data-n]", bar).textContent =
      `${chosen.length} ${chosen.length === 1 ? noun : nouns} selected${over ? `, at most ${max} at once` : ""}`;
    one("[type=submit]", bar).disabled = Boolean(over);
    all("[data-sum]", bar).forEach((place) => { place.replaceChildren(...sums(chosen, place.dataset.sum)); });
  };
  const refreshAll = (root) => new Set(all("[data-row]", root).map((box) => box.form)).forEach((form) => form && refresh(form));
  on("change", (event) => {
    const box = event.target;
    if (!box.form || !box.matches("[data-all], [data-row]")) return;
    if (box.matches("[data-all]")) all("[data-row]:not(:disabled)", box.form).forEach((row) => { row.checked = box.checked; });
    refresh(box.form);
  });
  on("click", (event) => {
    const button = event.target.closest("[data-clear]");
    if (!button) return;
    event.preventDefault();
    all("[data-row]", button.form).forEach((row) => { row.checked = false; });
    refresh(button.form);
    one("[data-all], [data-row]", button.form)?.focus();
  });

  // Keyboard: off when the person has switched it off (WCAG 2.1.4), while typing, or in a dialog.
  // Nothing here buys, approves or cancels: rows are moved over, ticked and opened, no more.
  const keys = document.documentElement.dataset.keys !== "off";
  const typing = (element) =>
    element.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) && element.type !== "checkbox");
  const rows = () => all("[data-nav] tbody tr:not(.group), ul[data-nav] > li");
  const current = () => one("[data-nav] tr.cur, ul[data-nav] > li.cur");
  let going = 0;
  const move = (step) => {
    const list = rows();
    if (all("[data-choice]").length) return choose(step);
    if (!list.length) return;
    const at = list.indexOf(current());
    list[at]?.classList.remove("cur");
    const row = list[at < 0 ? 0 : Math.max(0, Math.min(list.length - 1, at + step))];
    row.classList.add("cur");
    (one("a", row) || one("input", row))?.focus();
    row.scrollIntoView({ block: "nearest" });
  };
  // On the page of an order j and k go through its buttons: to press one takes Enter, a second key.
  const choose = (step) => {
    const list = all("[data-choice]:not(:disabled)").filter((button) => button.offsetParent);
    const at = list.indexOf(document.activeElement);
    list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + step))]?.focus();
  };
  const tick = () => {
    const box = current() && one("[data-row]", current());
    if (box && !box.disabled) box.click();
  };
  const acts = {
    "/": () => (one("[data-search]") || one("#goto"))?.focus(),
    "j": () => move(1),
    "k": () => move(-1),
    "x": tick,
    "?": () => one("#keys")?.showModal(),
    "g": () => { going = Date.now(); },
  };
  on("keydown", (event) => {
    if (!keys || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || one("dialog[open]")) return;
    if (Date.now() - going < 1200) {
      going = 0;
      const link = one(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (event.key === "Enter" && !event.target.closest("a, button, summary")) {
      const link = current() && one("a", current());
      if (link) { event.preventDefault(); link.click(); }
    } else if (Object.hasOwn(acts, event.key)) {
      event.preventDefault();
      acts[event.key]();
    }
  });

  // A form that changes something is sent once; coming back to the page allows it again.
  on("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => { delete form.dataset.sent; }));

  // htmx: busy state, announcements, focus, and a notice when a request fails.
  const trouble = (text) => {
    if (one("#trouble")?.textContent === text) return;
    const note = Object.assign(document.createElement("p"), { id: "trouble", className: "note bad mb", textContent: text });
    note.setAttribute("role", "alert");
    one("#trouble")?.remove();
    one("#main")?.prepend(note);
  };
  const arrived = (root) => {
    const focus = one("[data-focus]", root);
    if (focus) { focus.tabIndex = -1; focus.focus(); }
    say(one("[data-say]", root)?.textContent.trim().replace(/\s+/g, " "));
    refreshAll(document);
  };
  on("htmx:beforeRequest", (event) => event.detail.target?.setAttribute("aria-busy", "true"));
  on("htmx:afterRequest", (event) => event.detail.target?.removeAttribute("aria-busy"));
  on("htmx:beforeSwap", (event) => {
    // Signed out meanwhile: the answer is the sign-in page, which belongs into the window, not into a table.
    if (new URL(event.detail.xhr.responseURL, location.href).pathname.startsWith("/sign-in/")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });
  on("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    one("#trouble")?.remove();
    arrived((target?.id && document.getElementById(target.id)) || target || document);
  });
  on("htmx:responseError", () => trouble("That did not work. This page shows how things were before. Reload it to see how they are now."));
  ["htmx:sendError", "htmx:timeout"].forEach((name) => on(name, () => trouble("No connection. This page shows how things were before.")));

  // A box of one line would run several pasted lines together into one number.
  all("#goto, #go-q").forEach((box) => box.addEventListener("paste", (event) => {
    const lines = event.clipboardData.getData("text").split(/\s*[\r\n]+\s*/).filter(Boolean);
    if (lines.length < 2) return;
    event.preventDefault();
    const joined = lines.join(", ");
    if (joined.length > 2000) location.href = "/go/list/?long=1";
    else box.value = joined;
  }));

  // Toasts leave after 6 seconds, not while they are looked at.
  const leave = (toast) => setTimeout(() => (toast.matches(":hover, :focus-within") ? leave(toast) : toast.remove()), 6000);
  all("[data-toast]").forEach(leave);

  const failed = one("[role=alert][data-focus]");
  if (failed) { failed.tabIndex = -1; failed.focus(); }
  refreshAll(document);
})();
