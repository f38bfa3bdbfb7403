/** The formats of our schemas, each a pure predicate: what a string must be before it becomes a branded value. */
import { isIP } from 'node:net';
import { secretsIn } from '../keys/secret-list.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const INSTANT = /^(19|[2-9]\d)\d\d-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$/;
const DATE = /^(19|[2-9]\d)\d\d-(\d\d)-(\d\d)$/;
// The part before the @ as RFC 5321 dot-strings, the part behind it as a host name with at least two labels.
const EMAIL =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])$/;

const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** Whether the calendar has this day; counted, for asking Date costs more than all else of a request's validation. */
const dayExists = (date: string): boolean => {
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const length = LENGTHS[month - 1] ?? 0;
  return day >= 1 && day <= (leap && month === 2 ? 29 : length);
};

const knownZones = new Map<string, boolean>();
/** An IANA name that this runtime's data knows; offsets such as +02:00, which Intl takes too, are no zones. */
const isTimeZone = (zone: string): boolean => {
  const known = knownZones.get(zone);
  if (known !== undefined) return known;
  const answer = /^[A-Za-z]/.test(zone) && accepts(() => new Intl.DateTimeFormat('en', { timeZone: zone }));
  if (answer) knownZones.set(zone, answer); // only good names are kept, so that rubbish cannot fill the memory
  return answer;
};

/** Where people are sent: an origin, perhaps with a path. */
const isWebAddress = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return /^https?:$/.test(url?.protocol ?? '') && url?.search === '' && url.hash === '' && url.username === '';
};

/** One origin or several, with commas between: scheme, host and port, and nothing behind them. */
const areOrigins = (text: string): boolean =>
  text.split(',').every((one) => {
    const url = URL.canParse(one.trim()) ? new URL(one.trim()) : undefined;
    return url !== undefined && isWebAddress(one.trim()) && url.pathname === '/' && url.hostname !== '';
  });

/** Addresses and networks, with commas between. */
const areNetworks = (text: string): boolean =>
  text.split(',').every((one) => {
    const [address = '', bits, ...more] = one.trim().split('/');
    const version = isIP(address);
    const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32));
    return version !== 0 && fits && more.length === 0;
  });

/** A mail server: host, perhaps with port, user and password; and of a query only how it is with TLS. */
const isSmtpAddress = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === '' || url.hash !== '') return false;
  return /^\/?$/.test(url.pathname) && /^(\?tls=(required|off))?$/.test(url.search);
};

/** `Name <address>` or the address alone, without anything that a header would take for more. */
const SENDER = /^([^<>"\p{Cc}]*[^<>"\p{Cc}\s] <[^<>\s\p{Cc}@]+@[^<>\s\p{Cc}@]+>|[^<>\s\p{Cc}@]+@[^<>\s\p{Cc}@]+)$/u;

/** A JWK set of private P-256 keys with names. What is wrong with it is not told: a parser's message quotes its input. */
const arePrivateKeys = (text: string): boolean => {
  let keys: unknown;
  try {
    ({ keys } = JSON.parse(text));
  } catch {
    return false;
  }
  const isKey = (key: Partial<Record<'kty' | 'crv' | 'd' | 'kid', unknown>> | null) =>
    key?.kty === 'EC' && key.crv === 'P-256' && typeof key.d === 'string' && typeof key.kid === 'string';
  return Array.isArray(keys) && keys.length > 0 && keys.every(isKey);
};

/** A space beside a comma would be part of a secret, and nobody would see it. */
const areSecrets = (text: string): boolean =>
  secretsIn(text).every((secret) => secret.length >= 32 && secret === secret.trim());

const accepts = (attempt: () => unknown): boolean => {
  try {
    attempt();
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
};

export const formats = {
  /** Lower case only: one id has one spelling. */
  uuid: (text: string) => UUID.test(text),
  instant: (text: string) => INSTANT.test(text) && dayExists(text.slice(0, 10)),
  /** The very last day ends in the year 10000, which RFC 3339 cannot write. */
  date: (text: string) => DATE.test(text) && dayExists(text) && text !== '9999-12-31',
  email: (text: string) => EMAIL.test(text) && text.indexOf('@') <= 64,
  'time-zone': isTimeZone,
  'web-address': isWebAddress,
  origins: areOrigins,
  networks: areNetworks,
  'smtp-address': isSmtpAddress,
  sender: (text: string) => SENDER.test(text),
  'private-keys': arePrivateKeys,
  secrets: areSecrets,
  locale: (text: string) => accepts(() => Intl.getCanonicalLocales(text)),
} as const;
