"""Polygons: what is drawn, and that precision and recall are right where the answer is known."""

import dataclasses

import pytest
import torch
from torch import nn

from gansweep import data
from gansweep.data.polygons import MIN_ANGLE, RADIUS, SIDE, supersampled
from gansweep.errors import UserError
from gansweep.evaluation import Evaluation, Manifold, check_metrics
from gansweep.evaluation.evaluator import Evaluator, to_uint8
from gansweep.evaluation.metrics.polygons import (
    Family,
    Generator,
    convex,
    distances,
    f1,
    polygon_family,
    precision,
    recall,
)
from gansweep.evaluation.metrics.raster import areas, rasterise
from gansweep.evaluation.reference import build_reference, describe

TRIANGLES = data.POLYGONS["triangles"]
QUICK = Manifold(n_precision=32, n_recall=8)


def images_of(vertices):
    return supersampled(vertices).float() / 255


def decode(z):
    """A generator that contains the manifold of triangles: latents [B, 4] uniform on [-1, 1]."""
    u = (z + 1) / 2
    angle = torch.deg2rad(120 * torch.arange(3) + 10 + 110 * u[:, :3] + 6.2832 * u[:, 3:])
    vertices = RADIUS * torch.stack([angle.cos(), angle.sin()], 2)
    return rasterise(vertices - vertices.mean(1, keepdim=True) + SIDE / 2, SIDE)


@pytest.fixture(scope="module")
def real():
    return images_of(TRIANGLES.draw(32, seed=9))


@pytest.fixture(scope="module")
def manifold():
    return polygon_family(TRIANGLES, SIDE, QUICK)


@pytest.mark.parametrize(
    ("name", "smallest"), [("triangles", 15.0), ("triangles_turned", 15.0), ("squares", 50)]
)
def test_polygons_are_drawn_as_the_released_generator_does(name, smallest):
    polygons = data.POLYGONS[name]
    vertices = polygons.draw(5000, seed=1)
    n, half = polygons.n_vertices, SIDE / 2
    torch.testing.assert_close(vertices.mean(1), torch.full((5000, 2), half, dtype=torch.float64))
    assert vertices.min() >= 0 and vertices.max() <= SIDE
    area = areas(vertices)
    assert (
        smallest < area.min()
        and area.max() <= n / 2 * RADIUS**2 * torch.sin(torch.tensor(6.28319 / n)) + 1e-3
    )
    torch.testing.assert_close(convex(vertices), vertices.gather(1, _order(vertices)))


def _order(vertices):
    """The index that sorts vertices by their angle about the centre."""
    centred = vertices - SIDE / 2
    return torch.atan2(centred[..., 1], centred[..., 0]).argsort(1).unsqueeze(2).expand_as(vertices)


def test_triangles_have_the_published_mean_area_and_perimeter():
    vertices = TRIANGLES.draw(20_000, seed=1)
    perimeter = (vertices - vertices.roll(-1, 1)).norm(dim=2).sum(1)
    torch.testing.assert_close(areas(vertices).mean().item(), 104.0, rtol=0.01, atol=0)
    torch.testing.assert_close(perimeter.mean().item(), 50.0, rtol=0.02, atol=0)


def test_only_the_released_generators_triangles_are_nearly_of_one_orientation():
    def covered(name):  # of the circle, by the direction of the first vertex from the circle's centre
        vertices = data.POLYGONS[name].draw(2000, seed=2)
        sides = vertices[:, 1] - vertices[:, 0]
        return (
            torch.atan2(sides[:, 1], sides[:, 0]).rad2deg().remainder(360).histc(36, 0, 360).count_nonzero()
        )

    # A side is at right angles to the mean angle of its ends: 75 to 235 degrees off, and 6.3 by the rotation.
    assert covered("triangles") <= 13
    assert covered("triangles_turned") == 36


def test_neighbouring_vertices_are_far_enough_apart():
    vertices = TRIANGLES.draw(5000, seed=3)
    sides = (vertices - vertices.roll(-1, 1)).norm(dim=2)
    closest = 2 * RADIUS * torch.deg2rad(torch.tensor(MIN_ANGLE / 4)).sin()
    assert closest <= sides.min() < 1.5 * closest


def test_a_pixel_is_the_share_of_its_points_outside():
    square = torch.tensor([[[4.0, 4.0], [8.5, 4.0], [8.5, 10.25], [4.0, 10.25]]], dtype=torch.float64)
    image = supersampled(square)[0, 0]
    assert image[4:10, 4:8].max() == 0 and image[:4].min() == 255 and image[:, 9:].min() == 255
    assert image[5, 8] == round(255 / 2) and image[10, 5] == round(255 * 3 / 4)
    assert image[10, 8] == round(255 * (1 - 1 / 8))


@pytest.mark.slow
def test_the_data_set_is_black_on_white_and_always_the_same():
    triangles, again = data.load("triangles"), data.load("triangles")
    assert (triangles.shape, len(triangles.train), len(triangles.test)) == ((1, 28, 28), 60_000, 10_000)
    assert triangles.n_classes == 0 and triangles.sha256 == again.sha256
    black = (255 - triangles.train.float()).sum((1, 2, 3)) / 255
    torch.testing.assert_close(black.mean().item(), 104.0, rtol=0.01, atol=0)


@pytest.mark.parametrize("name", ["triangles_turned", "squares"])
def test_the_two_rasters_agree(name):
    vertices = data.POLYGONS[name].draw(500, seed=4)
    exact = rasterise(vertices, SIDE)
    torch.testing.assert_close((1 - exact).sum((1, 2, 3)), areas(vertices))
    gap = (exact - images_of(vertices)).square().sum((1, 2, 3))
    assert gap.max() < 0.1  # far below the threshold of 0.75
    torch.testing.assert_close(rasterise(vertices.float(), SIDE), exact.float(), rtol=0, atol=1e-4)


def test_the_raster_is_cut_off_at_the_border():
    large = torch.tensor([[[-40.0, -30.0], [50.0, 2.0], [3.0, 60.0]]], dtype=torch.float64)
    wide = rasterise(large + 100, 228)
    torch.testing.assert_close(rasterise(large, SIDE), wide[..., 100:128, 100:128], rtol=0, atol=1e-6)


def test_the_rasters_slope_is_that_of_finite_differences():
    vertices = data.POLYGONS["squares"].draw(3, seed=5) * 12 / SIDE
    level = torch.tensor(
        [[[2.3, 3.4], [9.2, 3.401], [5.6, 8.1]]], dtype=torch.float64
    )  # with a nearly level edge
    for case in (vertices, level):
        assert torch.autograd.gradcheck(lambda v: rasterise(v, 12), case.requires_grad_())


def test_any_four_points_become_a_convex_polygon():
    points = torch.rand(2000, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    polygon = convex(points)
    before, after = polygon - polygon.roll(1, 1), polygon.roll(-1, 1) - polygon
    turn = before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]
    assert turn.min() > -1e-12
    moved = (polygon.unsqueeze(1) != points.unsqueeze(2)).any(3).all(1)
    assert moved.sum(1).max() == 1  # no more than the reflex vertex


@pytest.mark.parametrize("name", ["triangles", "triangles_turned", "squares"])
def test_real_polygons_are_precise(name):
    polygons = data.POLYGONS[name]
    found = distances(images_of(polygons.draw(16, seed=6)), polygon_family(polygons, SIDE, QUICK), restarts=5)
    assert found.max() < 0.1


def test_the_distance_of_a_noisy_polygon_is_that_of_the_noise(real, manifold):
    noise = 0.03 * torch.randn(real.shape, generator=torch.Generator().manual_seed(1))
    found = distances(real[:16] + noise[:16], manifold, restarts=5)
    change = noise[:16].square().sum((1, 2, 3))
    # Six coordinates explain little of the noise in 784 pixels.
    assert (found < change + 0.05).all() and (found > 0.9 * change).all()


def test_triangles_may_be_anywhere(manifold):
    aside = images_of(0.8 * (TRIANGLES.draw(16, seed=6) - SIDE / 2) + torch.tensor([11.0, 16.0]))
    assert distances(aside, manifold, restarts=5).quantile(0.9) < 0.1


def test_what_is_no_triangle_is_far_from_all(real, manifold):
    others = {
        "noise": torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2)),
        "mean": real.mean(0, keepdim=True),
        "white": torch.ones(1, 1, SIDE, SIDE),
        "black": torch.zeros(1, 1, SIDE, SIDE),
        "square": images_of(torch.tensor([[[7.0, 7.0], [21.0, 7.0], [21.0, 21.0], [7.0, 21.0]]])),
        "two": torch.minimum(real[:1], real[:1].rot90(2, (2, 3))),
        "negative": 1 - real[:1],
    }
    found = distances(torch.cat(list(others.values())), manifold, restarts=5)
    assert found.min() > 2.0, dict(zip(others, found.tolist(), strict=True))


def test_descent_finds_what_brute_force_finds():
    """The family is of bars with any left and right end; brute force tries them at steps of a twentieth."""

    def bars(p):
        left, right = p.unsqueeze(2).unbind(1)
        x = torch.arange(9.0)
        row = ((right - x).clamp(0, 1) - (left - x).clamp(0, 1)).unsqueeze(1)
        return 1 - row.expand(-1, 9, -1).unsqueeze(1)

    def allowed(p):
        return p[:, 1] - p[:, 0] >= 1

    def every(step):
        p = torch.cartesian_prod(*[torch.arange(0.0, 9.0 + step / 2, step)] * 2)
        return p[allowed(p)]

    starts = 0.95 * every(1.5) + 0.2  # on the edge of a pixel a bar would have no slope
    family = Family(
        draw=bars,
        project=lambda p: p.clamp(0, 9),
        allowed=allowed,
        starts=(starts, bars(starts)),
        steps=50,
        lr=0.2,
    )
    noise = 0.3 * torch.rand(3, 1, 9, 9, generator=torch.Generator().manual_seed(3))
    target = bars(torch.tensor([[0.6, 2.3], [3.1, 8.7], [4.5, 6.0]])) + noise
    tried = bars(every(0.05))
    brute = torch.stack([(tried - image).square().sum((1, 2, 3)).min() for image in target])
    found = distances(target, family, restarts=5)
    torch.testing.assert_close(found, brute, rtol=0, atol=0.02)


def test_a_generator_that_contains_the_manifold_recalls_it(real):
    contains = Generator(decode, z_dim=4, prior="uniform")
    assert recall(real[:16], contains, QUICK) > 0.9
    # With three of its four latents at rest it makes few of the triangles; all of them are triangles still.
    narrow = Generator(lambda z: decode(z * torch.tensor([1.0, 0, 0, 0])), z_dim=4, prior="normal")
    assert recall(real[:16], narrow, QUICK) < 0.3


def test_latents_stay_in_the_support_of_a_uniform_prior(real):
    within = Generator(lambda z: decode(z * 0.1), z_dim=4, prior="uniform")
    beyond = Generator(lambda z: decode(z * 0.1), z_dim=4, prior="normal")
    assert recall(real[:8], within, QUICK) == 0
    assert recall(real[:8], beyond, dataclasses.replace(QUICK, latent_lr=1.0)) > 0.5


def test_a_constant_triangle_is_precise_and_recalls_nothing(real):
    one = real[:1].expand(8, -1, -1, -1)
    constant = Generator(lambda z: one[:1] + 0 * z.sum(1)[:, None, None, None], z_dim=2, prior="normal")
    assert precision(one, TRIANGLES, QUICK) == 1
    assert recall(real[1:9], constant, QUICK) == 0


def test_stopping_at_what_is_enough_changes_no_share(real, manifold):
    mixed = torch.cat([real[:4], real[:4] + 0.05, real[:4].flip(2) * real[:4]])
    every = distances(mixed, manifold, restarts=5)
    share = (every < QUICK.threshold).double().mean().item()
    assert precision(mixed, TRIANGLES, QUICK) == share and 0.3 < share < 0.7


def test_f1_is_the_harmonic_mean():
    assert f1(0.5, 0.5) == 0.5 and f1(1.0, 0.0) == 0.0 and f1(0.0, 0.0) == 0.0
    torch.testing.assert_close(f1(1.0, 0.25), 0.4)


def test_an_evaluator_scores_polygons(real):
    vertices = TRIANGLES.draw(120, seed=7)
    images = supersampled(vertices)
    dataset = data.base.make("triangles", "Triangles", images[:20], images[20:], "None.")
    asked = ("fid", "polygon_precision", "polygon_recall", "polygon_f1")
    evaluation = Evaluation(n_images=100, extractor="mnist", metrics=asked, manifold=QUICK)
    check_metrics(evaluation, dataset, conditional=False)
    evaluator = Evaluator(build_reference(dataset, evaluation), evaluation)
    z = torch.rand(100, 4, generator=torch.Generator().manual_seed(4)) * 2 - 1
    good = evaluator.score(to_uint8(decode(z)), None, Generator(decode, 4, "uniform"))
    assert list(good) == list(asked) and min(list(good.values())[1:]) > 0.9
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untrained = nn.Sequential(nn.Linear(4, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
    with torch.no_grad():
        noise = to_uint8(untrained(z))
    bad = evaluator.score(noise, None, Generator(untrained, 4, "uniform"))
    assert [bad[name] for name in asked[1:]] == [0, 0, 0] and bad["fid"] > good["fid"]


def test_the_manifolds_settings_are_part_of_what_is_measured_only_if_asked_for():
    images = supersampled(TRIANGLES.draw(30, seed=8))
    dataset = data.base.make("triangles", "Triangles", images[:10], images[10:], "None.")
    plain = Evaluation(n_images=100, extractor="mnist")
    polygonal = dataclasses.replace(plain, metrics=("fid", "polygon_f1"))
    finer = Manifold(vertex_steps=200)
    assert describe(dataset, plain) == describe(dataset, dataclasses.replace(plain, manifold=finer))
    assert describe(dataset, polygonal) != describe(dataset, dataclasses.replace(polygonal, manifold=finer))


def test_polygon_metrics_need_polygons():
    evaluation = Evaluation(metrics=("fid", "polygon_f1"))
    with pytest.raises(
        UserError, match=r"'polygon_f1' needs polygons \(triangles, .*but the data set is 'digits'"
    ):
        check_metrics(evaluation, data.load("digits"), conditional=False)
