// Finds a consent dialog and the button to press, without changing the page; open shadow roots are looked into.
// Returns null, or {button, text, dialog, manager, choice}. What is not plainly a consent dialog is left alone: a
// question of age, of terms or of money has effects of its own, whatever else its dialog says.
({framed}) => {
  // Consent managers: name, the dialog's element, the button that refuses.
  const managers = [
    ['OneTrust', '#onetrust-banner-sdk, #onetrust-pc-sdk', '#onetrust-reject-all-handler, .ot-pc-refuse-all-handler'],
    ['Cookiebot', '#CybotCookiebotDialog', '#CybotCookiebotDialogBodyButtonDecline'],
    ['Didomi', '#didomi-popup, #didomi-notice', '#didomi-notice-disagree-button, .didomi-continue-without-agreeing'],
    ['Quantcast', '.qc-cmp2-container', '.qc-cmp2-summary-buttons button[mode=secondary].reject'],
    ['Usercentrics', '#uc-banner-modal, [data-testid=uc-app-container], #uc-main-dialog', '[data-testid=uc-deny-all-button], #deny'],
    ['TrustArc', '#truste-consent-track', '#truste-consent-required'],
    ['Google Funding Choices', '.fc-consent-root', '.fc-cta-do-not-consent'],
    ['CookieYes', '.cky-consent-container', '.cky-btn-reject'],
    ['consentmanager', '#cmpbox', '.cmpboxbtnno'],
    ['Osano', '.osano-cm-window', '.osano-cm-denyAll'],
    ['iubenda', '#iubenda-cs-banner', '.iubenda-cs-reject-btn'],
    ['Klaro', '.klaro .cookie-notice, .klaro .cookie-modal', '.cn-decline'],
    ['tarteaucitron', '#tarteaucitronAlertBig', '#tarteaucitronAllDenied2'],
    ['Borlabs', '#BorlabsCookieBox', '[data-cookie-refuse]'],
    ['Complianz', '#cmplz-cookiebanner-container', '.cmplz-deny'],
  ];
  const about = /\bcookies?\b.*(?:use|store|accept|consent|prefer|setting|verwend|nutz|einwillig|zustimm|utilis|accept|使用|同意|接受|设置)|(?:use|verwend\w*|utilis\w*|使用|我们的).{0,60}cookies?\b|\bconsent\b|privacy (?:settings|preferences|choices)|your (?:privacy|data)\b|datenschutz|privatsphäre|einwilligung|vie privée|confidentialité|consentement|données personnelles|\bgdpr\b|\bdsgvo\b|\brgpd\b|隐私|隱私|个人信息|cookie 政策/is;
  const notAbout = new RegExp([
    /\b(?:over|at least|under)\s*(?:1[68]|21)\b|years? (?:old|of age)|verify your age|age (?:check|gate|verification)|\b(?:18|21)\s*\+/,
    /volljährig|(?:über|unter|mindestens)\s*1[68]|altersprüfung|altersnachweis|1[68] jahre/,
    /\b1[68]\s*ans\b|majeure?\b.{0,30}(?:confirm|âge)|年满|已满|未成年|成年人|周岁/,
    /\b(?:add to (?:cart|basket|bag)|buy now|place (?:an |your )?order|checkout)\b|in den warenkorb|jetzt kaufen|kostenpflichtig|ajouter au panier|acheter|加入购物车|立即购买|下单|付款/,
    /[€$£¥￥]\s*\d|\d\s*(?:€|eur|usd|元)/,
  ].map((part) => part.source).join('|'), 'i');
  const binding = /terms (?:of|and|&)|conditions of (?:use|sale)|\bagb\b|nutzungsbedingungen|conditions générales|用户协议|服务条款|使用条款|服务协议/i;
  const whole = (...parts) => new RegExp(`^[\\s.!✓✔✕×→›»]*(?:${parts.join('|')})[\\s.!✓✔✕×→›»]*$`, 'i');
  const refuse = whole(
    '(?:i )?(?:reject|decline|refuse|deny|disagree)(?: (?:to )?(?:all|cookies|all cookies|optional(?: cookies)?|non-essential(?: cookies)?|additional cookies))?',
    '(?:continue |proceed )?without (?:accepting|agreeing|consent)', '(?:i )?(?:do not|don.t) (?:accept|consent|agree|allow)', 'no,? thank(?:s| you)',
    '(?:accept |allow |use |keep )?(?:only )?(?:strictly )?(?:necessary|essential|required)(?: cookies)?(?: only)?',
    '(?:alle[s]? |cookies )*(?:ablehnen|verweigern)(?: und schließen)?', '(?:weiter )?ohne (?:einwilligung|zustimmung)(?: fortfahren)?', 'nicht (?:zustimmen|akzeptieren|einverstanden)',
    'nur (?:technisch |unbedingt )?(?:notwendige|erforderliche|essenzielle)(?: cookies)?(?: (?:akzeptieren|zulassen|verwenden|erlauben))?',
    '(?:tout |je )?(?:refuser|refuse|rejeter)(?: (?:tout|tous les cookies|les cookies|et (?:continuer|fermer)))?', '(?:continuer )?sans accepter', 'ne pas accepter',
    '(?:accepter |autoriser )?(?:uniquement |seulement )?(?:les )?(?:cookies )?(?:strictement )?(?:nécessaires|essentiels)(?: uniquement| seulement)?',
    '(?:全部|我|一律)?(?:拒绝|拒絕|不同意|不接受)(?:全部|所有|非必要)?(?:的)?\\s*(?:cookies?)?', '(?:仅|只|僅)(?:接受|使用|允许|限|保留)?(?:必要|必需|基本)(?:的)?\\s*(?:cookies?)?');
  const accept = whole(
    '(?:yes,? )?(?:i )?(?:accept|agree|allow|consent)(?: (?:all|cookies|all cookies|and (?:continue|close)|& (?:continue|close)))*', 'got it', 'ok(?:ay)?', '(?:i )?under(?:stand|stood)',
    '(?:alle[s]? |cookies |ich )*(?:akzeptieren|annehmen|zulassen|erlauben|zustimmen|akzeptiere|stimme zu)(?: und (?:schließen|weiter))?', 'einverstanden', 'verstanden',
    "(?:tout |j['’])?(?:accepter|accepte|autoriser)(?: (?:tout|tous les cookies|les cookies|et (?:continuer|fermer)))*", "d['’]accord", "(?:j['’]ai )?compris",
    '(?:全部|我)?(?:接受|同意|允许)(?:全部|所有|并继续)?(?:的)?\\s*(?:cookies?)?', '(?:我)?知道了', '好的', '明白了?');

  const visible = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight &&
      element.checkVisibility({opacityProperty: true, visibilityProperty: true});
  };
  const every = function* (root, selector) {
    yield* root.querySelectorAll(selector);
    for (const element of root.querySelectorAll('*')) if (element.shadowRoot) yield* every(element.shadowRoot, selector);
  };
  const words = (element) => {
    const inside = [...every(element, '*')].filter((part) => part.shadowRoot).map((part) => words2(part.shadowRoot));
    return `${element.innerText || ''} ${inside.join(' ')}`.replace(/\s+/g, ' ').trim();
  };
  const words2 = (root) => [...root.children].filter((part) => part.tagName !== 'STYLE').map((part) => part.innerText || '').join(' ');
  const label = (button) => (button.innerText || button.value || button.getAttribute('aria-label') || '').replace(/\s+/g, ' ').trim();
  // A link that leads elsewhere is no button, whatever it says.
  const stays = (button) => button.tagName !== 'A' || /^$|^#|^javascript:/.test(button.getAttribute('href') || '');
  const answer = (dialog, manager, refusing) => {
    const text = words(dialog);
    const buttons = [...every(dialog, 'button, [role=button], a, input[type=button], input[type=submit]')]
      .filter((button) => visible(button) && stays(button));
    const known = refusing && buttons.find((button) => button.matches(refusing));
    const refused = known || buttons.find((button) => refuse.test(label(button)));
    const accepted = binding.test(text) && !manager ? null : buttons.find((button) => accept.test(label(button)));
    const button = refused || accepted;
    return button && {button, text: label(button).slice(0, 80), dialog: text.slice(0, 200), manager, choice: refused ? 'refused' : 'accepted'};
  };

  for (const [name, container, refusing] of managers) {
    for (const dialog of every(document, container)) {
      const found = visible(dialog) || dialog.shadowRoot || [...dialog.children].some(visible) ? answer(dialog, name, refusing) : null;
      if (found) return found;
    }
  }
  const isConsent = (dialog) => {
    const text = words(dialog);
    return text.length < 4000 && about.test(text) && !notAbout.test(text) &&
      !dialog.querySelector('input[type=password], input[type=email], input[type=tel]');
  };
  if (framed) return document.body && isConsent(document.body) ? answer(document.body, '', '') || null : null;
  const marked = '[role=dialog], [role=alertdialog], [aria-modal=true], dialog[open], [role=region][aria-label*=cookie i]';
  for (const dialog of every(document, '*')) {
    if (['HTML', 'HEAD', 'BODY', 'SCRIPT', 'STYLE', 'IMG', 'A', 'BUTTON'].includes(dialog.tagName)) continue;
    if (!dialog.matches(marked) && !/fixed|sticky/.test(getComputedStyle(dialog).position)) continue;
    if (!visible(dialog) && ![...dialog.children].some(visible) || !isConsent(dialog)) continue;
    const found = answer(dialog, '', '');
    if (found) return found;
  }
  return null;
}
