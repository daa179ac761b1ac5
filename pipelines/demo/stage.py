"""One activity's picture at any frame: the backdrop, the objects at rest and the one that a hand moves."""

import math

import numpy as np
from numpy.typing import NDArray

from pipelines.demo.backdrop import Backdrop, SceneLook
from pipelines.demo.motion import Movement, Pose, gaze
from pipelines.demo.plan import ActivityPlan
from pipelines.demo.sprites import EXTENT, TEXELS, Sprite, object_sprite, shadow_of
from pipelines.demo.textures import Image
from pipelines.demo.vocabulary import OBJECTS

MIDDLE = 0.62
"""Row about which the objects lie, as a share of the frame's height."""
GAZE = 0.4
"""How far the camera turns towards an object; 1 would bring it to the middle of the picture."""


class Stage:
    """Draws an activity frame by frame, in time order.

    Frames before its start and after its end show it at rest, for transitions.

    Args:
        plan: the activity.
        look: the scene's look.
        hand: forearm and hand of the person who acts.
        size: width and height of the frame in pixels.
        fps: frames a second.
        rng: source of randomness; the same numbers give the same pictures.
    """

    def __init__(
        self,
        plan: ActivityPlan,
        look: SceneLook,
        hand: Sprite,
        *,
        size: tuple[int, int],
        fps: int,
        rng: np.random.Generator,
    ) -> None:
        self._plan = plan
        self._fps = fps
        self._height = size[1]
        self._hand = hand
        self._backdrop = Backdrop(look, plan.kind.cover, size, rng)
        names = list(dict.fromkeys(tool for _, tool in plan.kind.motions))
        self._sprites = {name: object_sprite(OBJECTS[name], rng) for name in names}
        self._shadows = {name: shadow_of(sprite) for name, sprite in self._sprites.items()}
        self._rests = [dict(zip(names, _draw_places(rng, len(names)), strict=True))]
        self._moves: list[Movement] = []
        for motion in plan.motions:
            rest = self._rests[-1]
            start, seconds = rest[motion.tool], (motion.stop - motion.start) / fps
            move = Movement.draw(rng, motion.kind, seconds, to_the_right=start.x < 0)
            self._moves.append(move)
            self._rests.append({**rest, motion.tool: _moved(start, move.pose(seconds))})
        self._gaze = self._draw_gaze(rng)
        self._arm_angles = rng.uniform(-0.45, 0.45, len(self._moves))
        self._light = _light_map(look.light_from, size)
        self._current = -1
        self._canvas = self._backdrop.canvas

    def frame(self, number: int, x: float, y: float) -> Image:
        """Draws the activity as seen in one frame of the video.

        Args:
            number: frame of the video.
            x: displacement of the camera to the right in pixels.
            y: displacement of the camera downwards in pixels.

        Returns:
            Colours [height, width, 3], float32, in about 0..255, without the camera's own gain and noise.
        """
        motions = self._plan.motions
        index = next((i for i, motion in enumerate(motions) if number < motion.stop), len(motions) - 1)
        if index != self._current:
            self._current, self._canvas = index, self._draw_canvas(index)
        aim = self._gaze[min(max(number - self._plan.start, 0), len(self._gaze) - 1)]
        x, y = x + float(aim[0]), y + float(aim[1])
        image = self._backdrop.crop(self._canvas, x, y)
        tool, move = motions[index].tool, self._moves[index]
        time_s = (number - motions[index].start) / self._fps
        pose = _moved(self._rests[index][tool], move.pose(time_s))
        column, row, scale = self._project(pose)
        nearness = 1 / self._backdrop.depth(self._backdrop.margin[1] + row)
        place = (column - x * nearness, row - y, scale)
        self._draw_object(image, tool, pose, place)
        self._draw_hand(image, pose, move.hand(time_s), float(self._arm_angles[index]), place)
        image *= self._light
        return image

    def _draw_gaze(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Displacement of the camera in pixels, [frames, 2]: it looks towards what is being moved."""
        motions = self._plan.motions
        along = [rest[motion.tool].x for rest, motion in zip(self._rests, motions, strict=False)]
        targets = rng.uniform(-0.04, 0.04, (len(motions), 2))
        targets[:, 0] += GAZE * self._backdrop.view.near * np.array(along)
        lengths = [motion.stop - motion.start for motion in motions]
        return self._height * gaze(targets, lengths, self._fps)

    def _draw_canvas(self, index: int) -> Image:
        """The backdrop with all objects that motion `index` leaves at rest, the farthest first."""
        canvas = self._backdrop.canvas.copy()
        left, top = self._backdrop.margin
        for name, pose in sorted(self._rests[index].items(), key=lambda item: item[1].y):
            if name != self._plan.motions[index].tool:
                column, row, scale = self._project(pose)
                self._draw_object(canvas, name, pose, (column + left, row + top, scale))
        return canvas

    def _draw_object(self, image: Image, name: str, pose: Pose, place: tuple[float, float, float]) -> None:
        column, row, scale = place
        size = scale * OBJECTS[name].size * self._height / (TEXELS * EXTENT)
        drop = (0.02 + 0.25 * pose.lift) * self._height
        self._shadows[name].draw(image, column + 0.7 * drop, row + drop, pose.angle, size)
        self._sprites[name].draw(image, column, row, pose.angle, size * (1 + pose.lift))

    def _draw_hand(
        self, image: Image, pose: Pose, arrival: float, angle: float, place: tuple[float, float, float]
    ) -> None:
        if arrival <= 0:
            return
        column, row, scale = place
        turned = angle + 0.3 * math.sin(pose.angle)
        size = 1.25 * scale * (1 + 0.5 * pose.lift) * self._height / 180
        away = (1 - arrival) * (1.15 * self._height - row)
        column -= math.sin(turned) * away
        row += math.cos(turned) * away + 0.05 * self._height
        self._hand.draw(image, column, row, turned, size)

    def _project(self, pose: Pose) -> tuple[float, float, float]:
        """Column, row and size at which a pose is seen by a camera at rest."""
        backdrop = self._backdrop
        near = backdrop.view.near
        column = backdrop.size[0] / 2 + pose.x * near * self._height
        row = (MIDDLE + (pose.y - MIDDLE) * near) * self._height
        return column, row, near * backdrop.depth(backdrop.margin[1] + row) ** -0.5


def _draw_places(rng: np.random.Generator, count: int) -> list[Pose]:
    """Places on the surface that lie apart, as shares of the height; x from the middle, y from the top."""
    columns = np.linspace(-0.5, 0.5, count) + rng.uniform(-0.06, 0.06, count)
    rows = MIDDLE + 0.13 * rng.permutation(np.resize([-1.0, 1.0], count)) * rng.uniform(0.5, 1, count)
    angles = rng.uniform(-0.6, 0.6, count)
    order = rng.permutation(count)
    return [Pose(float(columns[i]), float(rows[i]), float(angles[i])) for i in order]


def _moved(rest: Pose, change: Pose) -> Pose:
    return Pose(rest.x + change.x, rest.y + change.y, rest.angle + change.angle, change.lift)


def _light_map(direction: float, size: tuple[int, int]) -> Image:
    """Brightness [height, width, 1] of light that falls from one side, and darker corners."""
    width, height = size
    x = (np.arange(width, dtype=np.float32) / width - 0.5)[None, :]
    y = (np.arange(height, dtype=np.float32) / height - 0.5)[:, None]
    slope = 1 + 0.35 * (x * math.cos(direction) + y * math.sin(direction))
    spot = 0.18 * np.exp(-((x - 0.3 * math.cos(direction)) ** 2 + (y - 0.2) ** 2) / 0.06)
    return ((slope + spot) * (1.02 - 0.55 * (x**2 + y**2)))[..., None].astype(np.float32)
