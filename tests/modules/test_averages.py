import torch

from litlab.modules import Averages


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.LazyLinear(3)
    )


def test_the_average_is_that_of_its_definition():
    net = network()
    net(torch.randn(2, 1, 8, 8))
    averages = Averages(net.to(memory_format=torch.channels_last), decay=0.5)
    expected = {name: t.clone() for name, t in net.state_dict().items() if t.is_floating_point()}
    for step in range(12):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn_like(parameter))
        net(torch.randn(2, 1, 8, 8))
        averages.update()
        keep = min(0.5, (1 + step) / (10 + step))
        expected = {name: keep * value + (1 - keep) * net.state_dict()[name] for name, value in expected.items()}
    trained = {name: t.clone() for name, t in net.state_dict().items()}
    torch.testing.assert_close(averages.other(), expected)
    averages.swap()
    assert averages.shown
    torch.testing.assert_close({name: net.state_dict()[name] for name in expected}, expected)
    assert all(torch.equal(value, trained[name]) for name, value in averages.other().items())
    averages.swap()
    assert all(torch.equal(value, trained[name]) for name, value in net.state_dict().items())
    assert list(averages.state_dict()) == []


def test_without_a_decay_all_steps_from_a_first_one_count_the_same():
    net = network()
    net(torch.randn(2, 1, 8, 8))
    averages = Averages(net)
    averages.begin_at(3)
    weights = []
    for step in range(8):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn_like(parameter))
        averages.update()
        weights.append(net[0].weight.detach().clone())
        expected = torch.stack(weights[3:]).mean(0) if step >= 3 else weights[-1]
        torch.testing.assert_close(averages.other()["0.weight"], expected)
