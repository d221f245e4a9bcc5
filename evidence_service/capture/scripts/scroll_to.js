// Scrolls to a height at once (smooth scrolling would make the moment of a picture a matter of luck), lets two
// frames be drawn, and gives the pictures in view at most `patience` ms. A page that scrolls inside an element of its own
// instead of in its window is scrolled there.
async ({top, patience}) => {
  const root = document.scrollingElement || document.documentElement;
  let scroller = root;
  if (root.scrollHeight <= innerHeight + 8) {
    for (const element of document.querySelectorAll('body *')) {
      if (element.scrollHeight > element.clientHeight + 8 && element.clientHeight > innerHeight * 0.6 &&
          element.clientWidth > innerWidth * 0.6 && /auto|scroll/.test(getComputedStyle(element).overflowY)) {
        scroller = element;
        break;
      }
    }
  }
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const frame = () => Promise.race([new Promise((done) => requestAnimationFrame(done)), pause(100)]);
  scroller.scrollTo({top, left: 0, behavior: 'instant'});
  // Observers are told of the new position by a task after the first frame (Intersection Observer, 3.2.5).
  await frame();
  await frame();
  const pending = () => [...document.images].filter((image) => {
    if (image.complete) return false;
    const box = image.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight && box.width > 0;
  }).length;
  const end = performance.now() + patience;
  while (pending() && performance.now() < end) await pause(20);
  return {
    top: Math.round(scroller.scrollTop),
    viewport: scroller === root ? innerHeight : scroller.clientHeight,
    width: root.scrollWidth,
    height: scroller === root ? Math.max(root.scrollHeight, document.body ? document.body.scrollHeight : 0)
                              : scroller.scrollHeight,
    inner: scroller !== root,
    pending: pending(),
  };
}
