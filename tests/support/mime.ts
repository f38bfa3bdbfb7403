/** As much of MIME as it takes to look at what a mail server received: headers, and the parts of an alternative. */

export type ReceivedMail = {
  readonly messageId: string;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly headers: ReadonlyMap<string, string>;
};

export const parseMail = (raw: string): ReceivedMail => {
  const { headers, body } = split(raw);
  const boundary = /boundary="([^"]+)"/.exec(headers.get('content-type') ?? '')?.[1] ?? '';
  const parts = body.split(`--${boundary}`).slice(1, -1).map(partOf);
  const of = (type: string) => parts.find((part) => part.type === type)?.content ?? '';
  const header = (name: string) => decodeWords(headers.get(name) ?? '');
  return {
    messageId: header('message-id'),
    from: header('from'),
    to: header('to'),
    subject: header('subject'),
    text: of('text/plain'),
    html: of('text/html'),
    headers,
  };
};

const split = (raw: string) => {
  const [, head = '', body = ''] = /^(.*?)\r\n\r\n(.*)$/s.exec(raw) ?? [];
  const lines = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = new Map(
    lines.map((line) => [line.split(':', 1)[0]?.toLowerCase() ?? '', line.replace(/^[^:]*: ?/, '')]),
  );
  return { headers, body };
};

const partOf = (raw: string) => {
  const { headers, body } = split(raw.replace(/^\r\n/, ''));
  const encoding = headers.get('content-transfer-encoding');
  const bytes = encoding === 'base64' ? Buffer.from(body, 'base64') : quotedPrintable(body, encoding);
  return { type: headers.get('content-type')?.split(';', 1)[0], content: bytes.toString().replaceAll('\r\n', '\n') };
};

const quotedPrintable = (text: string, encoding: string | undefined): Buffer =>
  encoding === 'quoted-printable'
    ? Buffer.from(
        text
          .replace(/=\r\n/g, '')
          .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
        'latin1',
      )
    : Buffer.from(text, 'latin1');

/** Encoded words of RFC 2047. */
const decodeWords = (text: string): string =>
  text
    .replace(/\?= =\?/g, '?==?')
    .replace(/=\?UTF-8\?([BQ])\?(.*?)\?=/gi, (_, how: string, word: string) =>
      how.toUpperCase() === 'B'
        ? Buffer.from(word, 'base64').toString()
        : quotedPrintable(word.replaceAll('_', ' '), 'quoted-printable').toString(),
    );
