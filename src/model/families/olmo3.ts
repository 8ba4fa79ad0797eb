// OLMo 3: OLMo 2 with windows in three of four layers, whose rotation is never scaled.
import { fullEvery } from "../config/layer-types.ts";
import { ropeOfWindows } from "../config/rope-config.ts";
import type { Family } from "./family.ts";
import { PLAIN_GGUF } from "./gguf-traits.ts";
import { windowConfig, windowHeader } from "./gguf-windows.ts";
import { olmo2 } from "./olmo2.ts";

export const olmo3: Family = {
  ...olmo2,
  modelType: "olmo3",
  architecture: "Olmo3ForCausalLM",
  module: "olmo3",
  gguf: {
    ...PLAIN_GGUF,
    architecture: "olmo2",
    mark: "attention.sliding_window",
    anyHeads: false,
    head: "own",
    windows: true,
    config: (header) => windowConfig(header, 4),
    header: windowHeader,
  },
  defaults: { ...olmo2.defaults, rope_theta: 500_000, sliding_window: 4096 },
  layerTypes: fullEvery(4),
  rope: ropeOfWindows("rope_theta"),
};
