// The document as it is rendered, without changing it: open shadow roots as declarative ones (HTML, template element).
// Closed shadow roots, canvas contents and what was typed into fields are not in it. Of more than `limit` characters
// none are given: half a document reads like a whole one.
({limit}) => {
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
  if (!root) return {html: '', size: 0, roots: 0};
  const told = (html) => ({html: html.length > limit ? '' : html, size: html.length, roots: roots.length});
  if (roots.length === 0) return told(type + root.outerHTML);
  const tag = root.cloneNode(false).outerHTML.replace(/<\/html>$/i, '');
  return told(`${type}${tag}${root.getHTML({shadowRoots: roots})}</html>`);
}
