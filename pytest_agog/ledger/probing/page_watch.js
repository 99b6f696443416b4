// Runs before a page's own scripts: a dialog is noted instead of shown, since only content would open one.
(() => {
  window.__agogRan = [];
  for (const name of ["alert", "confirm", "prompt"]) {
    window[name] = (text) => {
      window.__agogRan.push(`${name}(${String(text).slice(0, 80)})`);
      return null;
    };
  }
})();
