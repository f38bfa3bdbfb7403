/** What a query of Prometheus names, by Prometheus' own grammar: the metrics, and the labels that it wants of each. */
import { parser } from '@prometheus-io/lezer-promql';

export type Selector = { readonly metric: string; readonly labels: readonly string[] };
type Stretch = { readonly from: number; readonly to: number };

/** `faults` say where it is no query. Labels are those that a metric is chosen by, grouped by and matched on. */
export const readQuery = (
  query: string,
): { readonly selectors: readonly Selector[]; readonly faults: readonly string[] } => {
  const text = query.replaceAll('$__rate_interval', '5m'); // Grafana puts a duration there
  const selectors: (Stretch & { metric: string })[] = [];
  const wanted: (Stretch & { readonly label: string })[] = [];
  const faults: string[] = [];
  parser.parse(text).iterate({
    enter: ({ type, from, to, node }) => {
      const said = text.slice(from, to);
      if (type.isError) faults.push(`at ${from}: ${text.slice(from, from + 20)}`);
      if (type.name === 'VectorSelector') {
        const name = node.getChild('Identifier');
        selectors.push({ from, to, metric: name ? text.slice(name.from, name.to) : '' });
      }
      if (type.name !== 'LabelName') return;
      // It is wanted of all that its expression is made of: `sum by (a) (…)`, `… on (a) …`, `metric{a="b"}`.
      let whole = node.parent;
      while (whole && !['AggregateExpr', 'BinaryExpr', 'VectorSelector'].includes(whole.name)) whole = whole.parent;
      if (whole) wanted.push({ label: said, from: whole.from, to: whole.to });
    },
  });
  return {
    faults,
    selectors: selectors.map(({ metric, from, to }) => ({
      metric,
      labels: wanted.filter((one) => one.from <= from && to <= one.to).map(({ label }) => label),
    })),
  };
};
