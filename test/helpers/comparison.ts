// One plausible comparison as data, for everything that renders it.
import type { CellResult, Comparison } from "../../src/events/compare.ts";
import { CompareOptions } from "../../src/options/compare.ts";
import { parseOptions } from "../../src/options/schema.ts";

const judged = {
  text: "notes.txt",
  tokens: 8176,
  protocol: "windows",
  windows: 16,
  context: 512,
  densePerplexity: 20,
  device: "cpu",
  seconds: 3,
} as const;

export const cell: CellResult = {
  preset: "flap",
  sparsity: 0.2,
  reached: { all: 0.2034, decoder: 0.2581 },
  parameters: 107_612_006,
  decoderParameters: 79_300_454,
  bytes: 215_224_012,
  seconds: 151.2,
  peakBytes: 812.3e6,
  texts: [{ ...judged, perplexity: 30.4444, bitsPerByte: 1.2, klDivergence: 0.4021, topOneAgreement: 0.74 }],
};

export const comparison: Comparison = {
  comp: "0.1.0",
  model: "/models/tiny",
  fingerprint: "ab12",
  options: parseOptions(CompareOptions, { presets: "flap,random,llm-pruner" }),
  device: "cpu",
  cores: 2,
  calibration: ["mix.txt"],
  dense: { parameters: 134_515_008, decoderParameters: 106_203_456, bytes: 269_030_016 },
  quantized: [],
  against: [],
  cells: [
    cell,
    {
      ...cell,
      preset: "random",
      texts: [{ ...cell.texts[0]!, perplexity: 4250, klDivergence: 5.31, topOneAgreement: 0.02 }],
    },
    { preset: "llm-pruner", sparsity: 0.2, failure: "a sparsity of 0.2 cannot be reached" },
  ],
};
