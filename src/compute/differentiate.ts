// Reverse-mode differentiation: extends a graph by the gradient of some of its values.
import type { Graph, Value } from "./graph.ts";
import { add } from "./operations/elementwise.ts";

/**
 * Gradients towards `wrt`, given the gradients towards some results (a vector-Jacobian product), as values of the same graph.
 *
 * @param seeds pairs of a result and the gradient towards it, of the same shape
 * @returns one value for each of `wrt`; undefined where no seed depends on it
 * @throws {RangeError} when a value on the way has no gradient rule
 */
export function differentiate(
  graph: Graph,
  seeds: readonly (readonly [Value, Value])[],
  wrt: readonly Value[],
): (Value | undefined)[] {
  const gradients = new Map<Value, Value>();
  const accumulate = (value: Value, gradient: Value): void => {
    const sofar = gradients.get(value);
    gradients.set(value, sofar ? add(sofar, gradient) : gradient);
  };
  const needed = ancestorsBetween(graph, wrt);
  for (const [value, gradient] of seeds) accumulate(value, gradient);
  for (const value of graph.values.slice(0, Math.max(...seeds.map(([value]) => value.id)) + 1).reverse()) {
    const upstream = gradients.get(value);
    if (!upstream || !value.operation || !needed.has(value)) continue;
    propagate(value, upstream, needed, accumulate);
  }
  return wrt.map((value) => gradients.get(value));
}

/** Values that depend on one of `wrt`, themselves included: only these need a gradient. */
function ancestorsBetween(graph: Graph, wrt: readonly Value[]): Set<Value> {
  const needed = new Set(wrt);
  for (const value of graph.values) if (value.inputs.some((input) => needed.has(input))) needed.add(value);
  return needed;
}

function propagate(
  value: Value,
  upstream: Value,
  needed: Set<Value>,
  accumulate: (value: Value, gradient: Value) => void,
): void {
  const rule = value.operation!.gradient;
  if (!rule) throw new RangeError(`${value.operation!.name} has no gradient rule`);
  const gradients = rule(value, upstream);
  value.inputs.forEach((input, i) => {
    const gradient = gradients[i];
    if (gradient && needed.has(input)) accumulate(input, gradient);
  });
}
