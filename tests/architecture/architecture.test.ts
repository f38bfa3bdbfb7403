import { describe, expect, test } from 'vitest';
import { codeRules } from './code-rules.ts';
import { importRules } from './import-rules.ts';
import { repository, source } from './source.ts';

const files = repository();

for (const { name, applies, violations, red, green } of [...importRules, ...codeRules]) {
  describe(name, () => {
    const found = (path: string, text: string) => (applies(path) ? violations(source(path, text)) : []);
    const shown = (text: string) => text.replace(/\s+/g, ' ').slice(0, 80);

    for (const [path, ...texts] of red) {
      for (const text of texts) {
        test(`is broken in ${path} by ${shown(text)}`, () => expect(found(path, text)).not.toEqual([]));
      }
    }

    for (const [path, ...texts] of green) {
      for (const text of texts) {
        test(`allows in ${path} ${shown(text)}`, () => expect(found(path, text)).toEqual([]));
      }
    }

    test('holds in this repository', () => {
      const looked = files.filter(({ path }) => applies(path));
      expect(looked).not.toEqual([]);
      expect(looked.flatMap((file) => violations(file).map((what) => `${file.path}: ${what}`))).toEqual([]);
    });
  });
}

test('the scan saw the repository', () => {
  const count = (prefix: string) => files.filter(({ path }) => path.startsWith(prefix)).length;
  expect(count('src/platform/')).toBeGreaterThan(15);
  expect(count('src/contracts/')).toBeGreaterThan(3);
  expect(count('tests/')).toBeGreaterThan(8);
  expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(50);
});
