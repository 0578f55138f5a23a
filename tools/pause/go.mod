module primetrade.local/tools/pause

go 1.26
