"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009, "Learning multiple layers of features from tiny images")."""

from litlab.data import sources
from litlab.data.datamodules import ImageDataModule
from litlab.data.sources import by_torchvision
from litlab.data.torchvision_sets import TorchvisionImages

CIFAR100_NAMES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster "
    "man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck "
    "pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk "
    "skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger "
    "tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


class CIFAR10(ImageDataModule):
    """Photographs of ten kinds of things: 50,000 + 10,000 colour images of 32 x 32 (Krizhevsky 2009)."""

    name = "cifar10"
    class_names = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    input_shape = (3, 32, 32)
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    release = sources.CIFAR10


class CIFAR100(TorchvisionImages):
    """Photographs of a hundred kinds of things: 50,000 + 10,000 colour images of 32 x 32 (Krizhevsky 2009).

    torchvision reads it from `data_dir/cifar-100-python` at each start, and checks it by MD5.
    """

    name = "cifar100"
    class_names = tuple(CIFAR100_NAMES.split())
    input_shape = (3, 32, 32)
    mean, std = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
    source = by_torchvision.CIFAR100
