// What ran as a script, and what in the page's tree could run when somebody clicks. Gives a list of short texts.
() => {
  const found = [...(window.__agogRan || [])];
  const tell = (element) => found.push((element.cloneNode(false).outerHTML || element.tagName).slice(0, 120));
  const own = (url) => {
    try {
      return new URL(url, location.href).origin === location.origin;
    } catch {
      return false;
    }
  };
  const script = (tag, element) =>
    tag === "script" && !/json/.test(element.type) && !(element.src && own(element.src));
  const frame = (tag, element) => tag === "iframe" && (element.srcdoc || !own(element.src));
  const refresh = (tag, element) => tag === "meta" && element.httpEquiv.toLowerCase() === "refresh";
  const links = ["href", "src", "action", "formaction", "xlink:href", "data"];
  // What is only drawn never runs, whatever it holds; icons are often written as data.
  const drawn = (tag, element) => tag === "img" || (tag === "link" && /\bicon\b/i.test(element.rel));
  const runs = (value, harmless) => {
    const url = value.replace(/[\u0000-\u0020]/g, "").toLowerCase();
    const data = !harmless && /^data:(?!image\/(png|jpeg|gif|webp)[;,])/.test(url);
    return data || /^(javascript|vbscript):/.test(url);
  };
  for (const element of document.querySelectorAll("*")) {
    const tag = element.tagName.toLowerCase();
    if (["object", "embed", "applet", "base"].includes(tag)) tell(element);
    else if (script(tag, element) || frame(tag, element) || refresh(tag, element)) tell(element);
    for (const { name, value } of element.attributes) {
      if (name.toLowerCase().startsWith("on")) tell(element);
      else if (links.includes(name.toLowerCase()) && runs(value, drawn(tag, element))) tell(element);
    }
  }
  return found;
}
