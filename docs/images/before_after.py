"""Makes before-after.jpg from what `make demo` left in demo/: one part of the damaged picture and of the result."""

from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
#: Left, top, right and bottom of the part that is shown, as shares of width and height.
PART = (0.22, 0.02, 0.86, 0.66)
#: Side of each half in pixels.
SIDE = 460


def main(demo: Path = HERE.parents[1] / "demo") -> None:
    """Put both halves beside each other; both are resized alike, so that only the pipeline makes the difference."""
    both = Image.new("RGB", (2 * SIDE + 8, SIDE), "white")
    for left, name in ((0, "portrait.jpg"), (SIDE + 8, "result.jpg")):
        with Image.open(demo / name) as picture:
            box = tuple(round(share * picture.size[i % 2]) for i, share in enumerate(PART))
            both.paste(picture.convert("RGB").crop(box).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, 0))
    both.save(HERE / "before-after.jpg", quality=84, optimize=True)


if __name__ == "__main__":
    main()
