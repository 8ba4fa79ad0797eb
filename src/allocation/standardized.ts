// Scores of different layers made comparable.

/**
 * (score − mean) / standard deviation, over the neurons of one layer.
 *
 * @see An et al. 2023 (FLAP), arXiv:2312.11983, section "adaptive structure search"
 */
export function standardized(scores: Float64Array): Float64Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(scores.length - 1, 1));
  return scores.map((score) => (deviation > 0 ? (score - mean) / deviation : 0));
}
