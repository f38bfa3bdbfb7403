/** Who is counted as one: an IPv4 address, or a network of IPv6, of which a household is given a whole one. */
import { isIPv6 } from 'node:net';

/** The first 64 bits of an IPv6 address; an IPv4 address as it is, also where it is written as IPv6. */
export const addressKey = (address: string): string => {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [plain = ''] = address.toLowerCase().split('%', 1);
  const [before = '', after] = plain.split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const [front, back] = [groups(before), groups(after ?? '')];
  const gap = after === undefined ? 0 : 8 - front.length - back.length;
  const all = [...front, ...Array.from({ length: Math.max(0, gap) }, () => '0'), ...back];
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
};
