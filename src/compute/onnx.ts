// Serialises a graph as an ONNX model. Only values that an output depends on are written.
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProto_DataType,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import type { Graph, OnnxAttributes, OnnxEmitter, Value } from "./graph.ts";
import type { ElementType, Shape } from "./tensor.ts";

const OPSET = 23n; // the first with RMSNormalization
const IR_VERSION = 10n;

const DATA_TYPES: Readonly<Record<ElementType, TensorProto_DataType>> = {
  f16: TensorProto_DataType.FLOAT16,
  f32: TensorProto_DataType.FLOAT,
  f64: TensorProto_DataType.DOUBLE,
  i32: TensorProto_DataType.INT32,
};

export interface OnnxOptions {
  /** Declares every size as symbolic, for graphs whose operations carry no shape of their own. */
  anyShape?: boolean;
}

/** Bytes of an ONNX model that computes the graph's outputs from its inputs. */
export function toOnnx(graph: Graph, options: OnnxOptions = {}): Uint8Array {
  const emitter = new Emitter();
  const names = emitValues(graph, emitter);
  for (const [name, value] of graph.outputs) {
    emitter.nameOutput(names.get(value)!, name);
    names.set(value, name);
  }
  const describe = ([name, value]: [string, Value]): ValueInfoProto =>
    valueInfo(name, value, options.anyShape ?? false);
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: OPSET })],
    graph: create(GraphProtoSchema, {
      name: "graph",
      node: emitter.nodes,
      initializer: emitter.initializers,
      input: [...graph.inputs].map(describe),
      output: [...graph.outputs].map(describe),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

/** Emits what the outputs depend on, in order; returns the ONNX name of each value. */
function emitValues(graph: Graph, emitter: Emitter): Map<Value, string> {
  const live = new Set(graph.outputs.values());
  for (const value of [...graph.values].reverse())
    if (live.has(value)) for (const input of value.inputs) live.add(input);
  const names = new Map<Value, string>();
  for (const [name, value] of graph.inputs) names.set(value, name);
  for (const value of graph.values) {
    if (!value.operation || !live.has(value)) continue;
    const inputs = value.inputs.map((input) => names.get(input)!);
    const shapes = value.inputs.map((input) => input.shape);
    names.set(value, value.operation.onnx(emitter, inputs, value.attributes, shapes));
  }
  return names;
}

class Emitter implements OnnxEmitter {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #outputs = new Set<string>();

  node(opType: string, inputs: readonly string[], attributes: OnnxAttributes = {}): string {
    const output = `v${this.nodes.length}`;
    this.nodes.push(
      create(NodeProtoSchema, { opType, input: [...inputs], output: [output], attribute: toAttributes(attributes) }),
    );
    return output;
  }

  constant(type: "float" | "int64", values: readonly number[], shape: Shape): string {
    const name = `c${this.initializers.length}`;
    const dims = shape.map(BigInt);
    const data =
      type === "float"
        ? { dataType: TensorProto_DataType.FLOAT, floatData: [...values] }
        : { dataType: TensorProto_DataType.INT64, int64Data: values.map(BigInt) };
    this.initializers.push(create(TensorProtoSchema, { name, dims, ...data }));
    return name;
  }

  /** Gives a node's result the name of a graph output, so that it is written in place, without a copy. */
  nameOutput(from: string, to: string): void {
    const producer = this.nodes.find((node) => node.output[0] === from);
    const isTaken = this.#outputs.has(from); // by another output of the same value
    this.#outputs.add(to);
    if (!producer || isTaken) {
      this.nodes.push(create(NodeProtoSchema, { opType: "Identity", input: [from], output: [to] }));
      return;
    }
    producer.output[0] = to;
    for (const node of this.nodes) node.input = node.input.map((name) => (name === from ? to : name));
  }
}

function toAttributes(attributes: OnnxAttributes): AttributeProto[] {
  return Object.entries(attributes).map(([name, value]) => {
    if ("float" in value)
      return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.FLOAT, f: value.float });
    if ("int" in value)
      return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i: BigInt(value.int) });
    if ("ints" in value)
      return create(AttributeProtoSchema, {
        name,
        type: AttributeProto_AttributeType.INTS,
        ints: value.ints.map(BigInt),
      });
    if ("elementType" in value) {
      const i = BigInt(DATA_TYPES[value.elementType]);
      return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i });
    }
    return create(AttributeProtoSchema, {
      name,
      type: AttributeProto_AttributeType.STRING,
      s: new TextEncoder().encode(value.string),
    });
  });
}

function valueInfo(name: string, value: Value, anyShape: boolean): ValueInfoProto {
  const dim = value.shape.map((size, axis) =>
    create(TensorShapeProto_DimensionSchema, {
      value: anyShape ? { case: "dimParam", value: `${name}_${axis}` } : { case: "dimValue", value: BigInt(size) },
    }),
  );
  const shape = create(TensorShapeProtoSchema, { dim });
  const tensorType = create(TypeProto_TensorSchema, { elemType: DATA_TYPES[value.type], shape });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: "tensorType", value: tensorType } }),
  });
}
