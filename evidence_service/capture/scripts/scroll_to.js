// Scrolls to a height at once; smooth scrolling would make the moment of a picture a matter of luck.
(top) => { window.scrollTo({top, left: 0, behavior: 'instant'}); }
