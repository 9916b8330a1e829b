"""Takes apart what is trained and measured: captions, attributes, rankings, datasets, studies, layers."""
