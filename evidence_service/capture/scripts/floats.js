// Tells whether a frame lies over the page as a dialog does: itself or an ancestor is fixed, sticky or a dialog.
(frame) => {
  const box = frame.getBoundingClientRect();
  if (box.width < 100 || box.height < 40 || !frame.checkVisibility({visibilityProperty: true})) return false;
  for (let node = frame; node && node instanceof Element; node = node.parentElement || node.getRootNode().host) {
    if (/fixed|sticky/.test(getComputedStyle(node).position) || node.matches('[role=dialog], [aria-modal=true], dialog[open]')) return true;
  }
  return false;
}
