// Measures the page and its images, without changing it.
() => {
  const images = [...document.images];
  // A picture without an address was never asked for; one that failed at the size of a tracking pixel shows nothing.
  const broken = images.filter((image) => {
    if (!(image.currentSrc || image.src) || !image.checkVisibility()) return false;
    const box = image.getBoundingClientRect();
    return !image.complete || (image.naturalWidth === 0 && (box.width > 2 || box.height > 2));
  });
  return {
    height: Math.max(document.documentElement ? document.documentElement.scrollHeight : 0, document.body ? document.body.scrollHeight : 0),
    text: document.body ? document.body.innerText.slice(0, 20000) : '',
    images: images.length,
    incomplete_images: broken.map((image) => image.currentSrc || image.src).slice(0, 50),
    password_fields: document.querySelectorAll('input[type=password]').length,
  };
}
