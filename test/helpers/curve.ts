// One plausible curve as data, for everything that renders it.
import type { Quality } from "../../src/events/common.ts";
import type { Curve } from "../../src/events/prune.ts";
import { settled } from "./method.ts";
import { pruneResult } from "./prune-result.ts";

const { sparsity: _, calibration: __, ...options } = settled({});

const quality: Quality = {
  on: "held-out calibration windows",
  tokens: 2040,
  perplexity: { before: 20, after: 27.5 },
  klDivergence: 0.31,
  topOneAgreement: 0.74,
};

export const curve: Curve = {
  comp: "0.1.0",
  model: "/models/tiny",
  dense: { parameters: 134_515_008, decoderParameters: 106_203_456, bytes: 269_030_016 },
  options,
  device: "cpu",
  cores: 2,
  calibration: pruneResult.calibration,
  quantized: [],
  points: [
    {
      sparsity: 0.2,
      reached: { all: 0.2034, decoder: 0.2581 },
      parameters: 107_612_006,
      decoderParameters: 79_300_454,
      bytes: 215_224_012,
      quality,
    },
    {
      sparsity: 0.6,
      reached: { all: 0.6012, decoder: 0.761 },
      parameters: 53_644_000,
      decoderParameters: 25_332_448,
      bytes: 107_288_000,
      quality: { ...quality, perplexity: { before: 20, after: 5120 }, klDivergence: 5.6, topOneAgreement: 0.03 },
    },
    { sparsity: 0.9, failure: "a sparsity of 0.9 cannot be reached" },
  ],
};
