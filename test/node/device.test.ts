import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type DeviceName, devices } from "../../src/compute/device.ts";
import { openBackend } from "../../src/node/device.ts";
import { compError } from "../helpers/errors.ts";
import { pruneDemo } from "../helpers/prune-demo.ts";
import { TINY_WINDOWS, tinyWithTokenizer } from "../helpers/small-models.ts";
import { useSoftwareGraphics } from "../helpers/software-graphics.ts";
import { tinySpec } from "../helpers/specs.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

const spec = tinySpec("llama");
const missing = process.platform === "darwin" ? "dml" : "coreml";

afterEach(() => vi.unstubAllEnvs());

describe("a device", () => {
  test("that is not here is refused before any work, saying which are and how to get it", async () => {
    const output = join(temporaryFolder(), "pruned");
    const error = await compError(pruneDemo({ output, sparsity: 0.2, device: missing }));
    expect(error.kind).toBe("device");
    expect(error.message).toMatch(new RegExp(`^${missing} is not available on this machine, which has cpu`));
    expect(error.hint).toBe(`${missing} needs ${devices[missing].needs}`);
    expect(existsSync(output)).toBe(false);
  });

  test("that nobody knows is an option out of its list", async () => {
    const device = "warp" as "cpu";
    const error = await compError(pruneDemo({ output: join(temporaryFolder(), "pruned"), device }));
    expect(error.kind).toBe("option");
    expect(error.message).toBe("device must be one of auto, cpu, cuda, webgpu, coreml, dml, got warp");
  });

  test("is the processor where that is asked for", async () => {
    expect((await openBackend({ device: "cpu" }, spec)).device).toBe("cpu");
  });
});

const reason = useSoftwareGraphics();
describe.skipIf(reason)(`with graphics that are but software${reason ? ` (${reason})` : ""}`, () => {
  test("auto measures that they are slower, and takes the processor", async () => {
    expect((await openBackend({ device: "auto", threads: 1 }, spec)).device).toBe("cpu");
  });

  test("a driver that fails is a device that is not here, in one line", async () => {
    vi.stubEnv("VK_ICD_FILENAMES", join(temporaryFolder(), "none.json"));
    const error = await compError(openBackend({ device: "webgpu" }, spec));
    expect(error.message).toMatch(/^webgpu is not available on this machine, which has cpu/);
  });

  test("the model comes out as it does on the processor, and the result names the device", async () => {
    const folder = temporaryFolder();
    const model = tinyWithTokenizer(folder, "llama");
    const pruneOn = (device: DeviceName) =>
      pruneDemo({ model, output: join(folder, device), sparsity: 0.2, layers: 0, ...TINY_WINDOWS, device });
    const [own, expected] = [await pruneOn("webgpu"), await pruneOn("cpu")];
    expect([own.device, expected.device]).toEqual(["webgpu", "cpu"]);
    expect(own.layers.map(({ kept }) => kept)).toEqual(expected.layers.map(({ kept }) => kept));
    expect(own.quality.klDivergence / expected.quality.klDivergence).toBeCloseTo(1, 2);
  });
});
