// When a model is of no use any more.
import { formatInteger } from "./format.ts";

/** So many times the dense model's perplexity, and a model is of no use for anything that the text stands for. */
const COLLAPSE = 10;

/** Says so in words when a model has collapsed, else nothing. */
export function describeCollapse(perplexity: number, densePerplexity: number): string {
  const ratio = perplexity / densePerplexity;
  return ratio < COLLAPSE ? "" : `collapsed: ${formatInteger(Math.round(ratio))} times the dense perplexity`;
}
