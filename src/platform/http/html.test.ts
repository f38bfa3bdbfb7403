import { expect, test } from 'vitest';
import { html } from './html.ts';

test('what is put in is text, whatever it looks like', () => {
  const text = `<script>"it's" & worse</script>`;
  expect(html`<p title="${text}">${text}</p>`.markup).toBe(
    '<p title="&lt;script&gt;&quot;it&#39;s&quot; &amp; worse&lt;/script&gt;">&lt;script&gt;&quot;it&#39;s&quot; &amp; worse&lt;/script&gt;</p>',
  );
});

test('what was made here is put in as it is, once or many times', () => {
  const item = (n: number) => html`<li>${n}</li>`;
  expect(html`<ul>${[item(1), item(2)]}</ul>${html`<hr>`}`.markup).toBe('<ul><li>1</li><li>2</li></ul><hr>');
});
