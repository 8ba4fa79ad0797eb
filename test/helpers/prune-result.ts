// One plausible pruning run as data, for everything that renders it.
import type { CalibrationSummary } from "../../src/events/common.ts";
import type { MeasuredResult, PruneEvent } from "../../src/events/prune.ts";
import { settled } from "./method.ts";

const { calibration: _, ...options } = settled({ sparsity: 0.2 });

export const calibration: CalibrationSummary = {
  source: "file",
  names: ["notes.txt", "chats.jsonl"],
  windows: 128,
  ownWindows: 32,
  context: 256,
  tokens: 32768,
};

export const pruneResult: MeasuredResult = {
  model: "/models/tiny/",
  fingerprint: "ab12",
  family: "llama",
  output: "smaller",
  files: ["config.json", "model.safetensors"],
  options,
  calibration,
  layersRemoved: [1],
  layers: [
    {
      index: 0,
      keptNeurons: 3,
      totalNeurons: 4,
      keptHeads: 2,
      totalHeads: 4,
      errorBefore: 0.3124,
      errorAfter: 0.1408,
      elapsedSeconds: 1.24,
      residentBytes: 412e6,
      kept: [0, 2, 3],
      heads: [0, 3],
      keyValueHeads: [0, 1],
    },
  ],
  parameters: { before: 134_515_008, after: 107_612_006 },
  decoderParameters: { before: 106_203_456, after: 79_300_454 },
  bytes: { before: 269_030_016, after: 215_224_012 },
  intermediateSize: { before: 4, after: 3 },
  numAttentionHeads: { before: 4, after: 2 },
  numKeyValueHeads: { before: 2, after: 2 },
  sparsity: { all: 0.2, decoder: 0.2533 },
  quality: {
    on: "held-out calibration windows",
    tokens: 4080,
    perplexity: { before: 27.314, after: 43.0218 },
    klDivergence: 0.40212,
    topOneAgreement: 0.7412,
  },
  device: "cpu",
  cores: 2,
  seconds: 151.2,
  peakBytes: 812.3e6,
};

const { kept, heads, keyValueHeads, ...progress } = pruneResult.layers[0]!;

export const pruneEvents: readonly PruneEvent[] = [
  {
    type: "plan",
    model: pruneResult.model,
    family: "llama",
    parameters: pruneResult.parameters,
    decoderParameters: pruneResult.decoderParameters,
    bytes: pruneResult.bytes,
    layers: { before: 2, after: 1 },
    layersRemoved: [1],
    searchesSplit: false,
    intermediateSize: pruneResult.intermediateSize,
    numAttentionHeads: pruneResult.numAttentionHeads,
    numKeyValueHeads: pruneResult.numKeyValueHeads,
    widths: "equal",
    sparsity: pruneResult.sparsity,
    expectedPeakBytes: 900e6,
  },
  { type: "calibration", ...calibration },
  { type: "stage", name: "prune", done: 0, total: 1 },
  { type: "layer", ...progress },
  { type: "stage", name: "prune", done: 1, total: 1 },
  { type: "warning", message: "the text is short" },
  { type: "done", result: pruneResult },
];
