// How many tokens the measurements of the dense model look at, so that what they take is known before they begin.

/** Of the backward sweep where the factors are all that is wanted; twice as many gained less than 1 % (docs/lab-log.md). */
export const FACTOR_TOKENS = 4096;

/** Of the backward sweep for costs, which need a better Gram matrix than S does. */
export const COST_TOKENS = 16384;

/** Of a sweep that measures cuts; the loss of a large cut is large, and needs fewer. */
export const CUT_TOKENS = 2048;
export const LARGE_CUT_TOKENS = 1024;
