// Finds the consent dialog and the button to press, without changing the page.
// Returns null, or {text, selector, dialog}: the button's text, a selector for it, the dialog's first words.
() => {
  const about = /cookie|consent|privacy|gdpr|隐私|同意|Cookie/i;
  const refuse = /only necessary|necessary only|reject|decline|refuse|essential|仅必要|拒绝|不同意/i;
  const accept = /accept|agree|allow|got it|ok\b|接受|同意|知道了/i;
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return box.width > 0 && box.height > 0 && style.visibility !== 'hidden' && style.display !== 'none';
  };
  const floats = (element) => {
    const position = getComputedStyle(element).position;
    return position === 'fixed' || position === 'sticky' || element.getAttribute('role') === 'dialog';
  };
  const path = (element) => {
    const parts = [];
    for (let node = element; node && node !== document.documentElement; node = node.parentElement) {
      const same = [...node.parentElement.children].filter((other) => other.tagName === node.tagName);
      parts.unshift(`${node.tagName.toLowerCase()}:nth-of-type(${same.indexOf(node) + 1})`);
    }
    return parts.join(' > ');
  };
  for (const dialog of document.querySelectorAll('body *')) {
    if (!floats(dialog) || !visible(dialog) || !about.test(dialog.textContent)) continue;
    const buttons = [...dialog.querySelectorAll('button, [role=button], a, input[type=button]')].filter(visible);
    const text = (button) => (button.textContent || button.value || '').trim();
    const chosen = buttons.find((b) => refuse.test(text(b))) || buttons.find((b) => accept.test(text(b)));
    if (chosen) {
      return {text: text(chosen).slice(0, 80), selector: path(chosen), dialog: dialog.textContent.trim().slice(0, 200)};
    }
  }
  return null;
}
