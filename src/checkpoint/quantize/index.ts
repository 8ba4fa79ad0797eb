// The quantizers by type: the table that a new one is added to.
import { quantizeIQ4NL, quantizeIQ4XS } from "./iq4-blocks.ts";
import { quantizeQ2K, quantizeQ4K, quantizeQ5K } from "./k-offset-blocks.ts";
import { quantizeQ3K, quantizeQ6K } from "./k-scale-blocks.ts";
import { legacyQuantizer, quantizeQ8 } from "./legacy-blocks.ts";
import type { Quantizer } from "./quantizer.ts";

export const QUANTIZERS = {
  Q8_0: quantizeQ8,
  Q4_0: legacyQuantizer(4, false),
  Q4_1: legacyQuantizer(4, true),
  Q5_0: legacyQuantizer(5, false),
  Q5_1: legacyQuantizer(5, true),
  Q2_K: quantizeQ2K,
  Q3_K: quantizeQ3K,
  Q4_K: quantizeQ4K,
  Q5_K: quantizeQ5K,
  Q6_K: quantizeQ6K,
  IQ4_NL: quantizeIQ4NL,
  IQ4_XS: quantizeIQ4XS,
} as const satisfies Readonly<Record<string, Quantizer>>;

/** The types that values can be quantized to. */
export type QuantizedDtype = keyof typeof QUANTIZERS;
