// The document as it is rendered, without changing it: open shadow roots as declarative ones (HTML, template element).
// Closed shadow roots, canvas contents and what was typed into fields are not in it.
() => {
  const roots = [];
  const collect = (root) => {
    for (const element of root.querySelectorAll('*')) {
      if (element.shadowRoot) {
        roots.push(element.shadowRoot);
        collect(element.shadowRoot);
      }
    }
  };
  collect(document);
  const type = document.doctype ? new XMLSerializer().serializeToString(document.doctype) + '\n' : '';
  const root = document.documentElement;
  if (!root) return {html: '', roots: 0};
  if (roots.length === 0) return {html: type + root.outerHTML, roots: 0};
  const tag = root.cloneNode(false).outerHTML.replace(/<\/html>$/i, '');
  return {html: `${type}${tag}${root.getHTML({shadowRoots: roots})}</html>`, roots: roots.length};
}
