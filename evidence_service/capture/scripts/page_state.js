// Tells whether the page is at rest, without changing it: what the settle rules look at.
() => {
  const root = document.documentElement;
  const body = document.body;
  const pending = [...document.images].filter((image) => !image.complete);
  const inView = pending.filter((image) => {
    const box = image.getBoundingClientRect();
    return box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth && box.width > 0;
  });
  return {
    ready: document.readyState,
    fonts: document.fonts.status,
    width: root ? root.scrollWidth : 0,
    height: Math.max(root ? root.scrollHeight : 0, body ? body.scrollHeight : 0),
    pending: pending.length,
    pending_in_view: inView.length,
  };
}
