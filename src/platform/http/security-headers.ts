/**
 * What every answer tells a browser (OWASP, HTTP Headers Cheat Sheet). The same for each, so it is a table and no
 * library, which would make it anew for each answer. HSTS is said by whoever ends TLS in front of us.
 */
export const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;
