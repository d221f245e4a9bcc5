// Measures the page and its images, without changing it.
() => {
  const images = [...document.images];
  const broken = images.filter((image) => !image.complete || image.naturalWidth === 0);
  return {
    title: document.title,
    width: document.documentElement.clientWidth,
    height: Math.max(document.documentElement.scrollHeight, document.body ? document.body.scrollHeight : 0),
    text: document.body ? document.body.innerText.slice(0, 20000) : '',
    images: images.length,
    incomplete_images: broken.map((image) => image.currentSrc || image.src).slice(0, 50),
    password_fields: document.querySelectorAll('input[type=password]').length,
    ready_state: document.readyState,
  };
}
