// How many tokens the measurements of the dense model look at, so that what they take is known before they begin.

/** Of the backward sweep where the factors are all that is wanted; twice as many gained less than 1 % (docs/lab-log.md). */
export const FACTOR_TOKENS = 4096;

/** Of the backward sweep for costs, which need a better Gram matrix than S does. */
export const COST_TOKENS = 16384;

/** Of a sweep that measures cuts; the loss of a large cut is large, and needs fewer. */
export const CUT_TOKENS = 2048;
export const LARGE_CUT_TOKENS = 1024;

/** Of the ablation of whole layers: of all of them, and of those that turn out cheapest. */
export const ROUGH_TOKENS = 256;
export const CLOSE_TOKENS = 1024;

/** Layers that are looked at closely, as a share of all and at least. */
const CLOSE_SHARE = 1 / 4;
const LEAST_CLOSE = 8;

/** How many of some layers are ablated on more text. */
export const closelyAblated = (layers: number): number =>
  Math.min(layers, Math.max(LEAST_CLOSE, Math.ceil(CLOSE_SHARE * layers)));
