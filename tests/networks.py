"""The networks that people bring, after their papers, with random weights: right in shape and speed, useless otherwise.

Each builder takes the width of the published network as its default; tests take a narrow one. Normalisation layers are
left out, as they are folded into the convolutions before them for inference.
"""

from collections.abc import Sequence

from tests.graphs import Graph

IMAGE = (1, 3, "height", "width")
MATTE = (1, 1, "height", "width")
#: How much a random network adds to what it restores.
SMALL = 1e-3


def _restored(graph: Graph, image: str, change: str) -> bytes:
    """A picture of the same size: the input and a small change."""
    return graph.bytes([("restored", graph.op("Add", image, graph.times(change, SMALL)), IMAGE)])


def dncnn(width: int = 64, layers: int = 17) -> bytes:
    """Zhang, Zuo, Chen, Meng, Zhang: Beyond a Gaussian denoiser, 2017, arXiv 1608.03981."""
    graph = Graph()
    image = graph.input("image", IMAGE)
    x = graph.relu_conv(image, 3, width)
    for _ in range(layers - 2):
        x = graph.relu_conv(x, width, width)
    return _restored(graph, image, graph.conv(x, width, 3))


def ffdnet(width: int = 96, layers: int = 12) -> bytes:
    """Zhang, Zuo, Zhang: FFDNet: Toward a fast and flexible solution for CNN-based denoising, 2018, 1710.04026."""
    graph = Graph()
    image, sigma = graph.input("image", IMAGE), graph.input("sigma", (1,))
    small = graph.op("SpaceToDepth", image, blocksize=2)
    plane = graph.op("Slice", small, *(graph.constant([at], "int64") for at in (0, 1, 1)))
    noise = graph.op("Add", graph.times(plane, 0.0), graph.times(sigma, 1 / 255))
    x = graph.relu_conv(graph.op("Concat", small, noise, axis=1), 13, width)
    for _ in range(layers - 2):
        x = graph.relu_conv(x, width, width)
    return _restored(graph, image, graph.shuffled(graph.conv(x, width, 12), 2))


def srvgg(width: int = 64, layers: int = 32, scale: int = 4, sides: Sequence[int | str] = ("height", "width")) -> bytes:
    """The compact network of Real-ESRGAN general-x4v3: Wang, Xie, Dong, Shan, 2021, arXiv 2107.10833."""
    graph = Graph()
    image = graph.input("input", (1, 3, *sides))
    x = _prelu_conv(graph, image, 3, width)
    for _ in range(layers):
        x = _prelu_conv(graph, x, width, width)
    detail = graph.times(graph.shuffled(graph.conv(x, width, 3 * scale**2), scale), SMALL)
    base = graph.enlarged(image, scale, mode="nearest")
    larger = [side * scale if isinstance(side, int) else f"{side}_{scale}" for side in sides]
    return graph.bytes([("output", graph.op("Add", detail, base), (1, 3, *larger))])


def _prelu_conv(graph: Graph, x: str, incoming: int, outgoing: int) -> str:
    slope = graph.constant([[[0.25]]] * outgoing)
    return graph.op("PRelu", graph.conv(x, incoming, outgoing), slope)


def rrdbnet(width: int = 64, growth: int = 32, blocks: int = 23, scale: int = 4) -> bytes:
    """The network of Real-ESRGAN x4plus and, with pixels folded into channels first, of x2plus (ESRGAN, 1809.00219)."""
    graph = Graph()
    image = graph.input("input", IMAGE)
    folded = 4 // scale
    x = image if folded == 1 else graph.op("SpaceToDepth", image, blocksize=folded)
    x = first = graph.conv(x, 3 * folded**2, width)
    for _ in range(blocks):
        dense = x
        for _ in range(3):
            dense = _dense_block(graph, dense, width, growth)
        x = graph.op("Add", graph.times(dense, 0.2), x)
    x = graph.op("Add", first, graph.conv(x, width, width))
    for _ in range(2):
        x = _leaky_conv(graph, graph.enlarged(x, 2, mode="nearest"), width, width)
    detail = graph.conv(_leaky_conv(graph, x, width, width), width, 3)
    base = graph.enlarged(image, scale, mode="nearest")
    answer = graph.op("Add", graph.times(detail, SMALL), base)
    return graph.bytes([("output", answer, (1, 3, "out_height", "out_width"))])


def _dense_block(graph: Graph, x: str, width: int, growth: int) -> str:
    features = [x]
    for count in range(4):
        seen = graph.op("Concat", *features, axis=1)
        features.append(_leaky_conv(graph, seen, width + count * growth, growth))
    last = graph.conv(graph.op("Concat", *features, axis=1), width + 4 * growth, width)
    return graph.op("Add", graph.times(last, 0.2), x)


def _leaky_conv(graph: Graph, x: str, incoming: int, outgoing: int) -> str:
    return graph.op("LeakyRelu", graph.conv(x, incoming, outgoing), alpha=0.2)


def zero_dce(width: int = 32) -> bytes:
    """Guo, Li, Guo, Loy, Hou, Kwong, Cong, 2020, arXiv 2001.06826; four iterations, all eight, and the curves."""
    graph = Graph()
    image = graph.input("input", IMAGE)
    down = [graph.relu_conv(image, 3, width)]
    for _ in range(3):
        down.append(graph.relu_conv(down[-1], width, width))
    x = down.pop()
    for _ in range(2):
        x = graph.relu_conv(graph.op("Concat", down.pop(), x, axis=1), 2 * width, width)
    curves = graph.op("Tanh", graph.conv(graph.op("Concat", down.pop(), x, axis=1), 2 * width, 24))
    lifted, x = [], image
    for at in range(8):
        bounds = (graph.constant([end], "int64") for end in (3 * at, 3 * at + 3, 1))
        bend = graph.op("Sub", graph.op("Mul", x, x), x)
        x = graph.op("Add", x, graph.op("Mul", graph.op("Slice", curves, *bounds), bend))
        lifted.append(x)
    return graph.bytes([("half", lifted[3], IMAGE), ("whole", x, IMAGE), ("r", curves, (1, 24, "height", "width"))])


def nafnet(width: int = 8, levels: int = 4) -> bytes:
    """The outline of NAFNet (2204.04676): halved so often that other sides than multiples of 16 do not fit."""
    graph = Graph()
    image = graph.input("input", IMAGE)
    x, skips = graph.conv(image, 3, width), []
    for _ in range(levels):
        skips.append(x)
        x = graph.relu_conv(x, width, width, 2, strides=(2, 2), pads=(0, 0, 0, 0))
    while skips:
        x = graph.op("Add", graph.shuffled(graph.conv(x, width, 4 * width, 1), 2), skips.pop())
    return _restored(graph, image, graph.conv(x, width, 3))


def small_matte(side: int | str = "side", *, logits: bool = False) -> bytes:
    """Any network that answers a picture with a matte, as IS-Net and BiRefNet do."""
    graph = Graph()
    image = graph.input("input_image", (1, 3, side, side))
    x = graph.conv(graph.relu_conv(image, 3, 8, strides=(2, 2)), 8, 1)
    x = graph.enlarged(x, 2)
    return graph.bytes([("output_image", x if logits else graph.op("Sigmoid", x), (1, 1, side, side))])


def u2net(*, small: bool = False, narrow: int = 1, side: int | str = 320) -> bytes:
    """U²-Net or its small variant (2005.09007): the fused map and the six that are judged beside it."""
    graph = Graph()
    image = graph.input("input.1", (1, 3, side, side))
    first, x, skips = (16 // narrow if small else 32 // narrow), image, []
    plan = _small_plan(narrow) if small else _full_plan(narrow)
    incoming = 3
    for depth, middle, outgoing in plan:
        x = _rsu(graph, x, depth, (incoming, middle, outgoing))
        skips.append((x, outgoing))
        incoming = outgoing
        if len(skips) < len(plan):
            x = _halved(graph, x)
    maps, (x, incoming) = [skips[-1]], skips.pop()
    for depth, middle, outgoing in _decoder(plan, first):
        skip, wide = skips.pop()
        x = _rsu(
            graph, graph.op("Concat", graph.like(x, skip), skip, axis=1), depth, (incoming + wide, middle, outgoing)
        )
        maps.append((x, outgoing))
        incoming = outgoing
    sides = [graph.conv(each, wide, 1) for each, wide in reversed(maps)]
    levels = [sides[0], *(graph.like(each, sides[0]) for each in sides[1:])]
    fused = graph.conv(graph.op("Concat", *levels, axis=1), len(levels), 1, 1)
    answers = [graph.op("Sigmoid", each) for each in (fused, *levels)]
    return graph.bytes([(str(1959 + at), each, (1, 1, side, side)) for at, each in enumerate(answers)])


Stage = tuple[int, int, int]


def _full_plan(narrow: int) -> list[Stage]:
    """Depth (0 for dilated ones), middle and outgoing channels of the six encoder stages."""
    told = [(7, 32, 64), (6, 32, 128), (5, 64, 256), (4, 128, 512), (0, 256, 512), (0, 256, 512)]
    return [(depth, middle // narrow, outgoing // narrow) for depth, middle, outgoing in told]


def _small_plan(narrow: int) -> list[Stage]:
    return [(depth, 16 // narrow, 64 // narrow) for depth in (7, 6, 5, 4, 0, 0)]


def _decoder(plan: Sequence[Stage], first: int) -> list[Stage]:
    """The decoder mirrors the encoder; each stage ends with the channels of the one above, the last with its own."""
    outgoing = [plan[max(0, at - 1)][2] for at in range(5)]
    middle = [first // 2 if plan[0][1] != plan[4][1] else first, *(plan[at][1] for at in range(1, 5))]
    return [(plan[at][0], middle[at], outgoing[at]) for at in reversed(range(5))]


def _rsu(graph: Graph, x: str, depth: int, channels: Stage) -> str:
    """A U of `depth` levels inside a residual block; of depth 0 with dilation instead of halving."""
    incoming, middle, outgoing = channels
    head = graph.relu_conv(x, incoming, outgoing)
    dilated = depth == 0
    levels = 4 if dilated else depth
    down = [graph.relu_conv(head, outgoing, middle)]
    for level in range(1, levels):
        above = down[-1] if dilated or level == levels - 1 else _halved(graph, down[-1])
        spread = 2**level if dilated else (2 if level == levels - 1 else 1)
        down.append(graph.relu_conv(above, middle, middle, dilations=(spread, spread)))
    x = down.pop()
    while down:
        skip = down.pop()
        wide = outgoing if not down else middle
        joined = graph.op("Concat", x if dilated else graph.like(x, skip), skip, axis=1)
        spread = 2 ** len(down) if dilated else 1
        x = graph.relu_conv(joined, 2 * middle, wide, dilations=(spread, spread))
    return graph.op("Add", x, head)


def _halved(graph: Graph, x: str) -> str:
    return graph.op("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), ceil_mode=1)


def eccv16(width: int = 64, side: int | str = 256) -> bytes:
    """Zhang, Isola, Efros: Colorful image colorization, 2016, arXiv 1603.08511: L* in, a* and b* out."""
    graph = Graph()
    luma = graph.input("input_l", (1, 1, side, side))
    x, incoming = graph.times(graph.plus(luma, -50.0), 0.01), 1
    for factor, count, halving, spread in (
        (1, 2, True, 1), (2, 2, True, 1), (4, 3, True, 1), (8, 3, False, 1), (8, 3, False, 2), (8, 3, False, 2),
        (8, 3, False, 1),
    ):  # fmt: skip
        for at in range(count):
            strides = (2, 2) if halving and at == count - 1 else (1, 1)
            x = graph.relu_conv(x, incoming, factor * width, strides=strides, dilations=(spread, spread))
            incoming = factor * width
    x = graph.relu_conv(graph.enlarged(x, 2, mode="nearest"), incoming, 4 * width)
    for _ in range(2):
        x = graph.relu_conv(x, 4 * width, 4 * width)
    likely = graph.op("Softmax", graph.conv(x, 4 * width, 313, 1), axis=1)
    colours = graph.enlarged(graph.conv(likely, 313, 2, 1), 4)
    return graph.bytes([("ab", graph.times(colours, 110.0), (1, 2, side, side))])
